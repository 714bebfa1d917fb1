/** The turns of a failure are its steps, in order. */

import { expect, it } from 'vitest';
import { replay } from '../../../src/explore/replay/replay.js';
import { turnsOf } from '../../../src/explore/replay/turns.js';
import { someFailure } from '../someFailure.js';

it('tells each step of the schedule once', () => {
  const failure = someFailure('B107');
  const actors: string[] = [];
  let names: readonly string[] = [];
  const { steps } = replay(
    failure,
    { stopAt: Number.POSITIVE_INFINITY, withPages: false, mustFit: true },
    {
      begin: (all) => {
        names = all;
      },
      line: ({ kind, actor }) => kind === 'step' && actors.push(names[actor]),
    },
  );
  const turns = turnsOf(failure);
  expect(turns.flatMap(({ actor, steps: count }) => Array.from({ length: count }, () => actor))).toEqual(
    actors,
  );
  expect(turns.reduce((sum, turn) => sum + turn.steps, 0)).toBe(steps);
  expect(turns.every(({ actor }, i) => actor !== turns[i + 1]?.actor)).toBe(true);
});
