/** What a word must hold when stores race with zaps, against all orders in which things can happen. */

import { describe, expect, it } from 'vitest';
import { Survival, survival } from '../../../src/workload/ghost/ghostRules.js';

/** What the actor does, in order: a store between two looks at the board, then a load between two. */
const ACTOR = [
  'endedBeforeStore',
  'store',
  'startedAfterStore',
  'endedBeforeLoad',
  'load',
  'startedAfterLoad',
] as const;
/** What a zap does: it is announced, takes effect, is announced as over. */
const ZAP = ['start', 'effect', 'end'] as const;

interface Observed {
  endedBefore: number;
  startedAfter: number;
  ended: number;
  started: number;
  kept: boolean;
}

/** All interleavings of the actor with `zaps` zaps, one after another. */
function interleavings(zaps: number): Observed[] {
  const results: Observed[] = [];
  const walk = (actorAt: number, zapAt: number, seen: Partial<Observed>, stored: boolean): void => {
    if (actorAt === ACTOR.length) {
      results.push(seen as Observed);
      return;
    }
    const started = Math.floor((zapAt + 2) / ZAP.length);
    const ended = Math.floor(zapAt / ZAP.length);
    walk(actorAt + 1, zapAt, { ...seen, ...observe(actorAt, started, ended, seen) }, stored || actorAt === 1);
    if (zapAt < zaps * ZAP.length) {
      const takesEffect = ZAP[zapAt % ZAP.length] === 'effect';
      walk(actorAt, zapAt + 1, takesEffect && stored ? { ...seen, kept: false } : seen, stored);
    }
  };
  walk(0, 0, {}, false);
  return results.map((result) => result);
}

function observe(
  actorAt: number,
  started: number,
  ended: number,
  seen: Partial<Observed>,
): Partial<Observed> {
  switch (ACTOR[actorAt]) {
    case 'endedBeforeStore':
      return { endedBefore: ended };
    case 'store':
      return { kept: true };
    case 'startedAfterStore':
      return { startedAfter: started };
    case 'endedBeforeLoad':
      return { ended };
    case 'load':
      // What happens afterwards is not seen: freeze it by a copy that later effects do not touch.
      return { keptAtLoad: seen.kept } as Partial<Observed>;
    default:
      return { started };
  }
}

describe('survival', () => {
  it('allows what some order of events explains, and nothing else', () => {
    const outcomes = new Map<string, Set<boolean>>();
    for (const result of interleavings(3)) {
      const { endedBefore, startedAfter, ended, started } = result;
      const key = JSON.stringify([endedBefore, startedAfter, ended, started]);
      const kept = (result as unknown as { keptAtLoad: boolean }).keptAtLoad;
      outcomes.set(key, (outcomes.get(key) ?? new Set()).add(kept));
    }
    expect(outcomes.size).toBeGreaterThan(20);
    for (const [key, kept] of outcomes) {
      const [endedBefore, startedAfter, ended, started] = JSON.parse(key) as [number, number, number, number];
      const rule = survival(endedBefore, startedAfter, ended, started);
      const allowed = { [Survival.Kept]: [true], [Survival.Gone]: [false], [Survival.Open]: [false, true] }[
        rule
      ];
      expect([key, [...kept].sort()]).toEqual([key, allowed]);
    }
  });
});
