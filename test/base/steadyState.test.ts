/** Where warm-up ends, in made-up times. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLevel, SteadyState } from '../../src/base/steadyState.js';

const window = 10;
const limits = { roundsMin: 12, roundsMax: 100 };

/** Rounds until warm-up is over. */
function warmups(timeOf: (round: number) => number): number {
  const state = new SteadyState(limits, window);
  while (!state.isOver) state.add(timeOf(state.rounds));
  return state.rounds;
}

describe('SteadyState', () => {
  it('ends at the earliest moment where times are the same from the start', () => {
    expect(warmups(() => 100)).toBe(limits.roundsMin);
  });

  it('goes on while a compiler makes rounds faster, and a window longer', () => {
    const rounds = warmups((round) => 100 + 900 * 0.9 ** round);
    expect(rounds).toBeGreaterThan(30);
    expect(rounds).toBeLessThan(limits.roundsMax);
  });

  it('sees a jump until it has left the window', () => {
    expect(warmups((round) => (round < 8 ? 1000 : 500))).toBeGreaterThanOrEqual(15);
  });

  it('ends with noise that goes nowhere', () => {
    const noisy = (round: number): number => 1000 + ((round * 7919) % 13) * 10;
    expect(warmups(noisy)).toBeLessThan(limits.roundsMax);
  });

  it('ends at the limit where times fall for ever', () => {
    expect(warmups((round) => 2 ** (60 - round / 4))).toBe(limits.roundsMax);
  });

  it('takes the median of short rounds that last as long as a block together', () => {
    const state = new SteadyState({ ...limits, roundsMax: 10_000, blockNs: 1000 }, window);
    // Rounds of which a tenth is measured: ten of them are a block, in which one is always slow.
    while (!state.isOver) state.add(state.rounds % 10 === 3 ? 900 : 10, 100);
    expect(state.isSteady).toBe(true);
    expect(state.rounds).toBe(10 * window);
  });

  it('sees with blocks that rounds get faster, where each looks like its neighbours', () => {
    const timeOf = (round: number): number => (round < 1000 ? 500 : 100);
    const single = new SteadyState({ ...limits, roundsMax: 10_000 }, window);
    while (!single.isOver) single.add(timeOf(single.rounds));
    expect(single.rounds).toBeLessThan(1000);
    const blocks = new SteadyState({ ...limits, roundsMax: 10_000, blockNs: 100_000 }, window);
    while (!blocks.isOver) blocks.add(timeOf(blocks.rounds));
    expect(blocks.rounds).toBeGreaterThan(1000);
  });

  it('is not steady before rounds have taken the time that they must', () => {
    const state = new SteadyState({ ...limits, roundsMax: 10_000, nsMin: 50_000 }, window);
    while (!state.isOver) state.add(10, 100);
    expect(state.rounds).toBe(500);
  });

  it('ends when the time is up, however times fall', () => {
    const state = new SteadyState({ roundsMin: 12, nsMax: 5000 }, window);
    while (!state.isOver) state.add(2 ** (60 - state.rounds / 4), 100);
    expect(state.rounds).toBe(50);
    expect(state.isSteady).toBe(false);
  });

  it('is never over before its time, whatever the times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 100, maxLength: 100 }), (times) => {
        const rounds = warmups((round) => times[round]);
        expect(rounds).toBeGreaterThanOrEqual(limits.roundsMin);
        expect(rounds).toBeLessThanOrEqual(limits.roundsMax);
      }),
    );
  });
});

describe('isLevel', () => {
  it('does not depend on the unit', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 4, maxLength: 20 }), (times) => {
        expect(isLevel(times.map((ns) => ns * 1024))).toBe(isLevel(times));
      }),
    );
  });
});
