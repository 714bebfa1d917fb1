/** Random sequences of memory calls, device commands and migrations on huge pages keep all invariants, and every page holds what it must. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runCase } from '../../../src/simulation/case/runCase.js';
import { hugeSequence, KINDS_OF_MOVES, type Move } from './hugeSequences.js';

/** A nightly run asks for more; one of these costs as much as many of other properties. */
const RUNS = Math.ceil(Number(process.env.SVMSIM_PROPERTY_RUNS ?? 300) / 60);

const place = fc.oneof(fc.constantFrom(0, 512), fc.constantFrom(1, 100, 256, 511, 513, 700, 1000));
const size = fc.oneof(fc.constantFrom(512, 512, 1024), fc.constantFrom(1, 2, 64, 100, 256, 511, 513));
const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.nat(KINDS_OF_MOVES - 1),
  who: fc.nat(2),
  off: place,
  pages: size,
  choice: fc.nat(100),
});

it('random sequences on huge pages', async () => {
  const sequence = fc.record({
    coherent: fc.boolean(),
    moves: fc.array(move, { minLength: 6, maxLength: 16, size: 'max' }),
    seed: fc.nat(1000),
  });
  await fc.assert(
    fc.asyncProperty(sequence, async ({ coherent, moves, seed }) => {
      const one = hugeSequence('random', coherent, moves);
      const report = await runCase(one, { executor: 'virtual', seed });
      const found =
        report.status === 'pass' ? null : { ...report, steps: one.steps.map((s) => JSON.stringify(s)) };
      expect(found).toBeNull();
    }),
    {
      numRuns: RUNS,
      seed: Number(process.env.SVMSIM_PROPERTY_SEED ?? 1),
      endOnFailure: process.env.SHRINK === '0',
    },
  );
}, 3_600_000);
