/** Random sequences of memory calls, device commands and migrations on huge pages keep all invariants, and every page holds what it must. */

import fc from 'fast-check';
import { it } from 'vitest';
import { hugeSequence, KINDS_OF_MOVES } from './hugeSequences.js';
import { expectAllToPass, type Move, runsAt } from './randomSequences.js';

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
  const cases = fc
    .record({
      coherent: fc.boolean(),
      moves: fc.array(move, { minLength: 6, maxLength: 16, size: 'max' }),
    })
    .map(({ coherent, moves }) => hugeSequence('random', coherent, moves));
  await expectAllToPass(cases, runsAt(60));
}, 3_600_000);
