/** The interval tree against a sorted array that is searched from the front. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { type IntervalNode, IntervalTree } from '../../src/base/intervalTree.js';
import { Random } from '../../src/sim/random.js';

/** Keeps nodes in the promised order: by start, then by insertion. */
class NaiveIntervals {
  readonly nodes: IntervalNode<number>[] = [];

  add(node: IntervalNode<number>): void {
    const at = this.nodes.findIndex((other) => other.start > node.start);
    this.nodes.splice(at < 0 ? this.nodes.length : at, 0, node);
  }

  overlapping(start: number, end: number): IntervalNode<number>[] {
    return this.nodes.filter((node) => node.start < end && node.end > start);
  }
}

function overlapping<T>(tree: IntervalTree<T>, start: number, end: number): IntervalNode<T>[] {
  const found: IntervalNode<T>[] = [];
  let node = tree.firstOverlap(start, end);
  while (node !== null) {
    found.push(node);
    node = tree.nextOverlap(node, start, end);
  }
  return found;
}

const far = 2 ** 40;
const interval = fc.record({
  start: fc.oneof(
    fc.nat(60),
    fc.nat(60).map((n) => far + n),
  ),
  pages: fc.integer({ min: 1, max: 20 }),
});
const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('insert' as const), at: interval }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat(1000) }) },
);

describe('IntervalTree', () => {
  it('answers every question as a sorted list does, after any inserts and removals', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 120, size: 'max' }),
        fc.array(interval, { minLength: 1, maxLength: 10 }),
        (operations, probes) => {
          const tree = new IntervalTree<number>();
          const naive = new NaiveIntervals();
          operations.forEach((op, serial) => {
            if (op.kind === 'insert') {
              naive.add(tree.insert(op.at.start, op.at.start + op.at.pages, serial));
            } else if (naive.nodes.length > 0) {
              const [node] = naive.nodes.splice(op.which % naive.nodes.length, 1);
              tree.remove(node);
            }
          });
          tree.check();
          expect(tree.size).toBe(naive.nodes.length);
          expect([...tree].map((node) => node.value)).toEqual(naive.nodes.map((node) => node.value));
          expect(tree.first()).toBe(naive.nodes[0] ?? null);
          expect(tree.last()).toBe(naive.nodes.at(-1) ?? null);
          naive.nodes.forEach((node, i) => {
            expect(tree.next(node)).toBe(naive.nodes[i + 1] ?? null);
            expect(tree.previous(node)).toBe(naive.nodes[i - 1] ?? null);
          });
          for (const { start, pages } of probes) {
            const values = (nodes: IntervalNode<number>[]) => nodes.map((node) => node.value);
            expect(values(overlapping(tree, start, start + pages))).toEqual(
              values(naive.overlapping(start, start + pages)),
            );
            expect(tree.firstValue(start, start + pages)).toBe(
              naive.overlapping(start, start + pages)[0]?.value ?? null,
            );
            expect(tree.lowerBound(start)).toBe(naive.nodes.find((node) => node.start >= start) ?? null);
            expect(tree.before(start)).toBe(naive.nodes.findLast((node) => node.start < start) ?? null);
          }
        },
      ),
      { numRuns: 300, seed: 20250101 },
    );
  });

  it('answers the same with an index for intervals that do not overlap, and for some that come to', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 150, size: 'max' }),
        fc.boolean(),
        fc.array(fc.nat(90), { minLength: 1, maxLength: 10 }),
        (operations, mayOverlap, probes) => {
          const tree = new IntervalTree<number>(4);
          const naive = new NaiveIntervals();
          operations.forEach((op, serial) => {
            if (op.kind === 'insert') {
              const { start, pages } = op.at;
              if (mayOverlap || naive.overlapping(start, start + pages).length === 0) {
                naive.add(tree.insert(start, start + pages, serial));
              }
            } else if (naive.nodes.length > 0) {
              const [node] = naive.nodes.splice(op.which % naive.nodes.length, 1);
              tree.remove(node);
            }
            for (const probe of probes) {
              for (const start of [probe, far + probe]) {
                const expected = naive.overlapping(start, start + 1)[0]?.value ?? null;
                expect(tree.firstValue(start, start + 1)).toBe(expected);
                expect(tree.firstOverlap(start, start + 1)?.value ?? null).toBe(expected);
              }
            }
          });
          tree.check();
        },
      ),
      { numRuns: 300, seed: 20250102 },
    );
  });

  it('has an index while there are many intervals and none overlaps another', () => {
    const tree = new IntervalTree<number>(8);
    const nodes = Array.from({ length: 8 }, (_, i) => tree.insert(16 * i, 16 * i + 16, i));
    expect(tree.isIndexed).toBe(true);
    const over = tree.insert(8, 24, 100);
    expect(tree.isIndexed).toBe(false);
    tree.remove(over);
    for (let i = 8; i < 20; i++) nodes.push(tree.insert(16 * i, 16 * i + 16, i));
    expect(tree.isIndexed).toBe(false);
    for (const node of nodes) tree.remove(node);
    for (let i = 0; i < 8; i++) nodes[i] = tree.insert(16 * i, 16 * i + 16, i);
    expect(tree.isIndexed).toBe(true);
    tree.remove(nodes[0]);
    expect(tree.isIndexed).toBe(false);
  });

  it('treats intervals as half-open: touching is not overlapping', () => {
    const tree = new IntervalTree<string>();
    tree.insert(10, 20, 'a');
    expect(tree.firstOverlap(0, 10)).toBeNull();
    expect(tree.firstOverlap(20, 30)).toBeNull();
    expect(tree.firstOverlap(19, 20)?.value).toBe('a');
    expect(tree.firstOverlap(0, 11)?.value).toBe('a');
  });

  it('keeps equal intervals apart, in the order in which they came', () => {
    const tree = new IntervalTree<string>();
    tree.insert(5, 9, 'first');
    const second = tree.insert(5, 9, 'second');
    tree.insert(5, 9, 'third');
    tree.remove(second);
    expect([...tree].map((node) => node.value)).toEqual(['first', 'third']);
  });

  it('finds an interval that starts far before the window', () => {
    const tree = new IntervalTree<string>();
    tree.insert(0, 2 ** 35, 'everything');
    for (let i = 1; i < 100; i++) tree.insert(i * 10, i * 10 + 1, `small ${i}`);
    expect(overlapping(tree, 995, 2 ** 34).map((node) => node.value)).toEqual(['everything']);
  });

  it('fills its blocks when starts ascend, and gives them back when nodes go', () => {
    const tree = new IntervalTree<number>();
    const nodes: IntervalNode<number>[] = [];
    for (let i = 0; i < 4096; i++) nodes.push(tree.insert(i, i + 1, i));
    expect(tree.levels).toBe(3);
    for (const node of nodes.slice(0, 4000)) tree.remove(node);
    expect(tree.levels).toBe(2);
    for (const node of nodes.slice(4000)) tree.remove(node);
    expect(tree.levels).toBe(1);
    tree.check();
  });

  it('finds its way through thousands of intervals that come and go at random', () => {
    const random = new Random(7);
    const tree = new IntervalTree<number>();
    let nodes: IntervalNode<number>[] = [];
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 3000; i++) {
        const start = random.below(5000);
        nodes.push(tree.insert(start, start + 1 + random.below(round % 2 === 0 ? 4 : 400), i));
      }
      tree.check();
      const kept = nodes.filter(() => random.below(4) === 0);
      const gone = new Set(nodes.filter((node) => !kept.includes(node)));
      for (const node of gone) tree.remove(node);
      nodes = kept;
      tree.check();
      expect(new Set(tree)).toEqual(new Set(nodes));
      for (let page = 0; page < 5500; page += 137) {
        const there = nodes.filter((node) => node.start < page + 3 && node.end > page);
        expect(new Set(overlapping(tree, page, page + 3))).toEqual(new Set(there));
      }
    }
  });

  it('lets the consumer remove the node that iteration has just given', () => {
    const tree = new IntervalTree<number>();
    for (let i = 0; i < 50; i++) tree.insert(i * 2, i * 2 + 1, i);
    for (const node of tree) if (node.value % 2 === 0) tree.remove(node);
    expect([...tree].map((node) => node.value)).toEqual(Array.from({ length: 25 }, (_, i) => 2 * i + 1));
  });

  it('refuses empty intervals, foreign nodes and double removal', () => {
    const tree = new IntervalTree<number>();
    const node = new IntervalTree<number>().insert(1, 2, 0);
    expect(() => tree.insert(3, 3, 0)).toThrow(AssertionFailure);
    expect(() => tree.insert(-1, 3, 0)).toThrow(AssertionFailure);
    expect(() => tree.firstOverlap(3, 3)).toThrow(AssertionFailure);
    expect(() => tree.remove(node)).toThrow(AssertionFailure);
    const mine = tree.insert(1, 2, 0);
    tree.remove(mine);
    expect(() => tree.remove(mine)).toThrow(AssertionFailure);
  });
});
