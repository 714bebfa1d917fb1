/** When an actor that waits looks at its doorbell first. */

import { beforeEach, describe, expect, it } from 'vitest';
import { LookingHabit } from '../../../src/sim/threads/lookingHabit.js';

let habit: LookingHabit;
beforeEach(() => {
  habit = new LookingHabit();
});

/** One wait: whether the actor looked first. */
function wait(seen: boolean, rung: boolean): boolean {
  const looked = habit.wantsToLook();
  habit.note(looked, looked && seen, rung);
  return looked;
}

/** Waits without a look until the next one with a look, in which it sees nothing and is rung later. */
function blindWaits(): number {
  let count = 0;
  while (!wait(false, true)) count++;
  return count;
}

describe('LookingHabit', () => {
  it('looks as long as it sees the bell ring', () => {
    for (let i = 0; i < 10; i++) expect(wait(true, true)).toBe(true);
  });

  it('does not look after a wait in which nobody rang', () => {
    expect(wait(false, false)).toBe(true);
    expect(wait(false, true)).toBe(false);
    expect(wait(true, true)).toBe(true);
  });

  it('looks ever more seldom where the bell rings only after it has stopped', () => {
    const counts = Array.from({ length: 9 }, blindWaits);
    expect(counts).toEqual([0, 4, 8, 16, 32, 64, 128, 256, 256]);
  });

  it('trusts in looking again once it has helped', () => {
    for (let i = 0; i < 5; i++) blindWaits();
    while (!wait(true, true));
    expect(blindWaits()).toBe(0);
    expect(blindWaits()).toBe(4);
  });
});
