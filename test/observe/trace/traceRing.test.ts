/** The ring of a trace: what is written comes out in order, across its end too, and what does not fit is counted. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TRACE_RING_WORDS, TraceRing } from '../../../src/observe/trace/traceRing.js';

function newRing(): TraceRing {
  return new TraceRing(new SharedArrayBuffer(TraceRing.bytesFor(1)), 0);
}

/** An event of so many words; false where there is no room. */
function write(ring: TraceRing, words: readonly number[]): boolean {
  if (!ring.reserve(words.length)) {
    ring.drop();
    return false;
  }
  for (const word of words) ring.push(word);
  ring.publish();
  return true;
}

describe('a trace ring', () => {
  it('gives what was written since the last time, in order', () => {
    const ring = newRing();
    write(ring, [1, 2]);
    write(ring, [3]);
    expect([...ring.takeAll()]).toEqual([1, 2, 3]);
    expect([...ring.takeAll()]).toEqual([]);
    expect(ring.events).toBe(2);
  });

  it('counts no texts among its events', () => {
    const ring = newRing();
    ring.reserve(1);
    ring.push(7);
    ring.publishText();
    write(ring, [1, 2]);
    expect([...ring.takeAll()]).toEqual([7, 1, 2]);
    expect(ring.events).toBe(1);
  });

  it('keeps what is not published from its reader', () => {
    const ring = newRing();
    ring.reserve(1);
    ring.push(7);
    expect(ring.takeAll()).toHaveLength(0);
    ring.publish();
    expect([...ring.takeAll()]).toEqual([7]);
  });

  it('shows events to a reader at work some at a time, and all of them once they are many, or there is no room', () => {
    const ring = newRing();
    for (let i = 0; i < 40; i++) write(ring, [i]);
    const seen = [...ring.take()];
    expect(seen.length).toBeGreaterThan(20);
    expect(write(ring, new Array<number>(TRACE_RING_WORDS).fill(0))).toBe(false);
    seen.push(...ring.take());
    expect(seen).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('counts what does not fit, and goes on when there is room', () => {
    const ring = newRing();
    const half = new Array<number>(TRACE_RING_WORDS / 2).fill(1);
    expect(write(ring, half)).toBe(true);
    expect(write(ring, half)).toBe(true);
    expect(write(ring, [2])).toBe(false);
    expect(write(ring, [3])).toBe(false);
    expect(ring.dropped).toBe(2);
    expect(ring.take()).toHaveLength(TRACE_RING_WORDS);
    expect(write(ring, [4])).toBe(true);
    expect([...ring.takeAll()]).toEqual([4]);
  });

  it('behaves as a queue of words, over its end and again', () => {
    const action = fc.oneof(
      fc.record({ write: fc.integer({ min: 1, max: TRACE_RING_WORDS }) }),
      fc.record({ take: fc.constantFrom('visible', 'all') }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 12 }), (actions) => {
        const ring = newRing();
        // Words are numbered, so what waits is told by its first number and the next one.
        let first = 0;
        let next = 0;
        for (const one of actions) {
          if ('take' in one) {
            const taken = one.take === 'all' ? ring.takeAll() : ring.take();
            if (one.take === 'all') expect(taken.length).toBe(next - first);
            expect(taken.findIndex((word, i) => word !== first + i)).toBe(-1);
            first += taken.length;
            continue;
          }
          const fits = next - first + one.write <= TRACE_RING_WORDS;
          expect(ring.reserve(one.write)).toBe(fits);
          if (!fits) continue;
          for (let i = 0; i < one.write; i++) ring.push(next++);
          ring.publish();
        }
      }),
      { numRuns: 15 },
    );
  });
});
