/** Rounds before the first that counts: until they are alike, until it has taken too long, and no further than one that fails. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import type { WarmUp } from '../../../src/base/steadyState.js';
import { warmUp } from '../../../src/workload/bench/warmUp.js';

const limits: WarmUp = { roundsMin: 4, roundsMax: 40 };

/** `timeOf` gives what round `i` took, or an errno. */
function warmed(timeOf: (round: number) => number, isStopping: (round: number) => boolean = () => false) {
  const counts: Record<string, number> = {};
  let ns = 0;
  let rounds = 0;
  const host = {
    now: () => ns,
    get stopping() {
      return isStopping(rounds);
    },
  };
  const steps = warmUp(host, limits, counts, function* (round) {
    const took = timeOf(round);
    ns += Math.max(0, took);
    rounds++;
    return took;
  });
  const { value, done } = steps.next();
  expect(done).toBe(true);
  return { errno: value, counts, rounds };
}

describe('the warm-up of a benchmark', () => {
  it('ends where rounds take the same time again and again', () => {
    const { errno, counts, rounds } = warmed((round) => (round < 5 ? 900 : 100));
    expect(errno).toBe(Errno.OK);
    expect(rounds).toBeGreaterThanOrEqual(12);
    expect(rounds).toBeLessThan(40);
    expect(counts).toEqual({ warmups: rounds, steady: 1 });
  });

  it('says so where it had to end before', () => {
    const { errno, counts } = warmed((round) => 2 ** (60 - round));
    expect(errno).toBe(Errno.OK);
    expect(counts).toEqual({ warmups: 40, steady: 0 });
  });

  it('goes no further than a round that fails, and counts nothing', () => {
    const { errno, counts, rounds } = warmed((round) => (round === 2 ? Errno.ENOMEM : 100));
    expect({ errno, counts, rounds }).toEqual({ errno: Errno.ENOMEM, counts: {}, rounds: 3 });
  });

  it('ends where the run is to stop', () => {
    const { errno, counts } = warmed(
      () => 100,
      (rounds) => rounds >= 2,
    );
    expect(errno).toBe(Errno.OK);
    expect(counts).toEqual({ warmups: 2, steady: 0 });
  });
});
