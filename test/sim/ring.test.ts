/** The ring: a queue of bounded size in shared memory, one end for each of two threads. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../src/sim/ring.js';

function newRing(capacity: number, offset = 0): Ring {
  return new Ring(new SharedArrayBuffer(offset + Ring.bytesFor(capacity)), offset, capacity);
}

describe('a ring', () => {
  function push(ring: Ring, value: number): boolean {
    const offset = ring.reserve();
    if (offset < 0) return false;
    ring.slots[offset] = value;
    ring.commit();
    return true;
  }

  function pop(ring: Ring): number | null {
    const offset = ring.peek();
    if (offset < 0) return null;
    const value = ring.slots[offset];
    ring.release();
    return value;
  }

  it('is a queue of bounded size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), fc.array(fc.boolean(), { maxLength: 100 }), (log, ops) => {
        const capacity = 2 ** log;
        const ring = newRing(capacity, 64);
        const model: number[] = [];
        ops.forEach((isPush, i) => {
          if (isPush) {
            expect(push(ring, i)).toBe(model.length < capacity);
            if (model.length < capacity) model.push(i);
          } else {
            expect(pop(ring)).toBe(model.shift() ?? null);
          }
          expect(ring.depth).toBe(model.length);
        });
      }),
    );
  });

  it('shows nothing that was not committed', () => {
    const ring = newRing(2);
    ring.slots[ring.reserve()] = 7;
    expect([ring.peek(), ring.depth]).toEqual([-1, 0]);
    ring.commit();
    expect(ring.slots[ring.peek()]).toBe(7);
  });

  it('is seen alike by both ends, over the same memory', () => {
    const buffer = new SharedArrayBuffer(Ring.bytesFor(4));
    const [producer, consumer] = [new Ring(buffer, 0, 4), new Ring(buffer, 0, 4)];
    push(producer, 1);
    push(producer, 2);
    expect([pop(consumer), pop(consumer), pop(consumer)]).toEqual([1, 2, null]);
  });

  it('goes on when its counters overflow 32 bits', () => {
    const buffer = new SharedArrayBuffer(Ring.bytesFor(4));
    const control = new Int32Array(buffer, 0, 32);
    control[0] = control[16] = 2 ** 31 - 2;
    const ring = new Ring(buffer, 0, 4);
    for (let i = 0; i < 12; i++) {
      expect(push(ring, i)).toBe(true);
      expect(pop(ring)).toBe(i);
    }
    for (let i = 0; i < 4; i++) push(ring, i);
    expect([push(ring, 4), ring.depth]).toEqual([false, 4]);
  });

  it('needs a capacity that is a power of two', () => {
    expect(() => newRing(3)).toThrow('power of two');
  });
});
