/** The gap tree against a map that is searched from the top. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GapTree } from '../../../src/mm/area/gapTree.js';

/** Ends of gaps near 2^35, so that nothing may treat them as 32-bit numbers. */
const end = fc.nat(40).map((offset) => 2 ** 35 - 100 + offset);

type Op = { op: 'set'; end: number; npages: number } | { op: 'delete'; end: number };

const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ op: fc.constant('set' as const), end, npages: fc.nat(9) }),
  fc.record({ op: fc.constant('delete' as const), end }),
);

describe('GapTree', () => {
  it('finds the highest gap that is large enough, within a limit', () => {
    fc.assert(
      fc.property(
        fc.array(op, { maxLength: 80 }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), end)),
        (ops, probes) => {
          const tree = new GapTree();
          const naive = new Map<number, number>();
          for (const step of ops) {
            if (step.op === 'set') {
              tree.set(step.end, step.npages);
              naive.set(step.end, step.npages);
            } else {
              tree.delete(step.end);
              naive.delete(step.end);
            }
          }
          for (const [npages, limit] of probes) {
            const fits = [...naive].filter(([at, size]) => at <= limit && size >= npages);
            expect(tree.highest(npages, limit)).toBe(Math.max(-1, ...fits.map(([at]) => at)));
          }
        },
      ),
      { numRuns: 200, seed: 20250101 },
    );
  });
});
