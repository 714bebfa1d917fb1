/** Random sequences in which GPUs of the reference driver are test devices, too, keep all invariants, and every page holds what it must. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runCase } from '../../../src/simulation/case/runCase.js';
import { BUFFER_PAGES, KINDS_OF_MOVES, type Move, mixedSequence } from './mixedSequences.js';

/** A nightly run asks for more. */
const RUNS = Math.ceil(Number(process.env.SVMSIM_PROPERTY_RUNS ?? 300) / 10);

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.nat(KINDS_OF_MOVES - 1),
  who: fc.nat(1),
  off: fc.nat(BUFFER_PAGES - 1),
  pages: fc.integer({ min: 1, max: BUFFER_PAGES }),
  choice: fc.nat(6),
});

it('random sequences of both drivers', async () => {
  const kind = fc.constantFrom('private' as const, 'private' as const, 'coherent' as const);
  const sequence = fc.record({
    kinds: fc.tuple(kind, kind),
    moves: fc.array(move, { minLength: 4, maxLength: 16, size: 'max' }),
    seed: fc.nat(1000),
  });
  await fc.assert(
    fc.asyncProperty(sequence, async ({ kinds, moves, seed }) => {
      const one = mixedSequence('random', kinds, moves);
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
