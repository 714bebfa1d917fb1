/** Random cases as property tests: the raw numbers that they are made from, and that each holds, its expectations and all invariants. */

import fc from 'fast-check';
import { expect } from 'vitest';
import type { Case } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

/** Raw numbers of one operation; what they mean depends on what is there when it comes. */
export interface Move {
  readonly kind: number;
  readonly who: number;
  readonly off: number;
  readonly pages: number;
  readonly choice: number;
}

/** A nightly run asks for more; `cost` says how many runs of other properties one of these takes as long as. */
export function runsAt(cost: number): number {
  return Math.ceil(Number(process.env.SVMSIM_PROPERTY_RUNS ?? 300) / cost);
}

export async function expectAllToPass(cases: fc.Arbitrary<Case>, numRuns: number): Promise<void> {
  const sequence = fc.record({ one: cases, seed: fc.nat(1000) });
  await fc.assert(
    fc.asyncProperty(sequence, async ({ one, seed }) => {
      const report = await runCase(one, { executor: 'virtual', seed });
      const found =
        report.status === 'pass' ? null : { ...report, steps: one.steps.map((s) => JSON.stringify(s)) };
      expect(found).toBeNull();
    }),
    {
      numRuns,
      seed: Number(process.env.SVMSIM_PROPERTY_SEED ?? 1),
      endOnFailure: process.env.SHRINK === '0',
    },
  );
}
