/** Random sequences in which GPUs of the reference driver are test devices, too, keep all invariants, and every page holds what it must. */

import fc from 'fast-check';
import { it } from 'vitest';
import { BUFFER_PAGES, KINDS_OF_MOVES, mixedSequence } from './mixedSequences.js';
import { expectAllToPass, type Move, runsAt } from './randomSequences.js';

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.nat(KINDS_OF_MOVES - 1),
  who: fc.nat(1),
  off: fc.nat(BUFFER_PAGES - 1),
  pages: fc.integer({ min: 1, max: BUFFER_PAGES }),
  choice: fc.nat(6),
});

it('random sequences of both drivers', async () => {
  const kind = fc.constantFrom('private' as const, 'private' as const, 'coherent' as const);
  const cases = fc
    .record({
      kinds: fc.tuple(kind, kind),
      moves: fc.array(move, { minLength: 4, maxLength: 16, size: 'max' }),
    })
    .map(({ kinds, moves }) => mixedSequence('random', kinds, moves));
  await expectAllToPass(cases, runsAt(10));
}, 3_600_000);
