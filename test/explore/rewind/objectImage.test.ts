/** What objects were is put back as it was, in place, and what hides its state is noticed. */

import { describe, expect, it } from 'vitest';
import { ObjectImage } from '../../../src/explore/rewind/objectImage.js';

const nothingIsLeaf = (): boolean => false;

function imageOf(root: object): ObjectImage {
  return new ObjectImage([root], nothingIsLeaf);
}

function putBack(image: ObjectImage): void {
  image.learn();
  image.restore();
}

class Counter {
  count = 0;
  readonly inner = { name: 'inner', at: Number.NaN };
  next: Counter | null = null;
}

describe('an image of objects', () => {
  it('puts properties back, of objects behind others too', () => {
    const root = new Counter();
    root.next = new Counter();
    const { inner, next } = root;
    const image = imageOf(root);
    root.count = 7;
    root.inner.name = 'other';
    root.inner.at = 1;
    next.count = 8;
    root.next = null;
    putBack(image);
    expect(root.count).toBe(0);
    expect(root.inner).toBe(inner);
    expect(inner).toEqual({ name: 'inner', at: Number.NaN });
    expect(root.next).toBe(next);
    expect(next.count).toBe(0);
  });

  it('puts back the length of arrays that have grown, or lost what was nothing', () => {
    const root = { grown: [1], lost: [1, undefined] };
    const image = imageOf(root);
    root.grown.push(2, 3);
    root.lost.pop();
    putBack(image);
    expect(root.grown).toEqual([1]);
    expect(root.lost).toHaveLength(2);
  });

  it('puts back arrays, maps in their order, sets and memory', () => {
    const root = {
      list: [1, 2, 3],
      map: new Map([
        ['a', 1],
        ['b', 2],
      ]),
      set: new Set(['x', 'y']),
      words: Float64Array.of(1.5, 2.5),
      odd: Uint8Array.of(1, 2, 3),
      large: new Int32Array(1000).fill(5),
    };
    const image = imageOf(root);
    root.list.length = 0;
    root.map.delete('a');
    root.map.set('a', 1);
    root.set.clear();
    root.words[1] = 9;
    root.odd[2] = 9;
    root.large[999] = 9;
    putBack(image);
    expect(root.list).toEqual([1, 2, 3]);
    expect([...root.map]).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect([...root.set]).toEqual(['x', 'y']);
    expect([...root.words]).toEqual([1.5, 2.5]);
    expect([...root.odd]).toEqual([1, 2, 3]);
    expect(root.large.every((word) => word === 5)).toBe(true);
  });

  it('puts back what a map has for a key that stays, and in objects of one class whatever changed in each', () => {
    class Pair {
      left = 1;
      right = 2;
    }
    const root = { map: new Map([['a', 1]]), one: new Pair(), other: new Pair() };
    const image = imageOf(root);
    root.map.set('a', 7);
    root.one.left = 7;
    root.other.right = 7;
    putBack(image);
    expect([...root.map]).toEqual([['a', 1]]);
    expect([root.one, root.other]).toEqual([new Pair(), new Pair()]);
  });

  it('puts back without a look only what it has seen change before', () => {
    const root = { known: 1, later: 1 };
    const image = imageOf(root);
    root.known = 2;
    expect(image.learn()).toBe(true);
    image.restore();
    expect(image.learn()).toBe(false);
    root.known = 3;
    root.later = 3;
    image.restore();
    expect(root).toEqual({ known: 1, later: 3 });
    expect(image.learn()).toBe(true);
    image.restore();
    expect(root).toEqual({ known: 1, later: 1 });
  });

  it('stops at leaves and at shared memory', () => {
    const leaf = { count: 0 };
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const image = new ObjectImage([{ leaf, shared }], (node) => node === leaf);
    leaf.count = 1;
    shared[0] = 1;
    putBack(image);
    expect(leaf.count).toBe(1);
    expect(shared[0]).toBe(1);
  });

  it.each<[string, object]>([
    ['a promise', { it: Promise.resolve() }],
    ['a weak map', { it: new WeakMap() }],
    [
      'a property that is computed',
      {
        get it() {
          return 1;
        },
      },
    ],
  ])('is not whole with %s', (_, root) => {
    expect(imageOf(root).isWhole).toBe(false);
    expect(imageOf({}).isWhole).toBe(true);
  });
});
