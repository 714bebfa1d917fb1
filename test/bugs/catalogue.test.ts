/** That every bug of the catalogue shows when it is put in, and nothing shows when it is not. */

import { describe, expect, it } from 'vitest';
import { buffer, bugCase, mirrorOn } from '../../src/bugs/bugCase.js';
import type { BugOverlay } from '../../src/bugs/bugOverlay.js';
import { allBugs, findBug } from '../../src/bugs/catalogue.js';
import { notExpressed } from '../../src/bugs/notExpressed.js';
import { allCheckers } from '../../src/check/online/allCheckers.js';
import { makeStrategy, portfolio } from '../../src/explore/strategies/makeStrategy.js';
import { subjectOf } from '../../src/explore/subject.js';
import { STEPS_MAX, SubjectRunner } from '../../src/explore/subjectRunner.js';
import { isExpected, type Verdict } from '../../src/explore/verdict.js';

/** By each strategy of a search: bugs differ in what finds them. */
const SCHEDULES = 100;
const SCHEDULES_WITHOUT = 5;

/** The first verdict that a schedule of the bug's subject ends with. */
function hunt(bug: BugOverlay, overlay: BugOverlay | null, schedules: number): Verdict | null {
  const stepsMax = bug.stepsMax ?? STEPS_MAX;
  const runner = new SubjectRunner(subjectOf(bug.subject), { checkers: allCheckers, overlay, stepsMax });
  for (const name of portfolio) {
    const strategy = makeStrategy(name, 1);
    for (let i = 0; i < schedules; i++) {
      const verdict = runner.run(strategy)?.verdict ?? null;
      if (verdict !== null) return verdict;
    }
  }
  return null;
}

/** Those that need a failure, which must not be what is found. */
const withFailure = allBugs.flatMap((bug) => {
  const inject = bug.inject?.bind(bug);
  return inject === undefined ? [] : [[bug.id, bug, inject] as const];
});

describe('the catalogue of bugs', () => {
  it('has each number once, in order, and finds a bug by its number', () => {
    const numbers = allBugs.map(({ id }) => Number(/^B(\d+)$/.exec(id)?.[1]));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    for (const bug of allBugs) expect(findBug(bug.id)).toBe(bug);
    expect(findBug('B9999')).toBeNull();
  });

  it('names those without an overlay, in order, and none that has one', () => {
    const numbers = notExpressed.map(({ id }) => Number(id.slice(1)));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    for (const { id } of notExpressed) expect(findBug(id)).toBeNull();
  });

  it('can be put into any program, be it one without devices, or with more than the bug came with', () => {
    const buffers = [buffer('A', 1), { op: 'cpu_read', args: { buf: 'A' } }] as const;
    const programs = [[...buffers], [...mirrorOn(3), ...buffers]].map((steps) =>
      subjectOf(bugCase({ name: 'another', steps })),
    );
    for (const overlay of allBugs) {
      for (const program of programs) {
        const runner = new SubjectRunner(program, { checkers: allCheckers, overlay, stepsMax: STEPS_MAX });
        expect(() => runner.run(makeStrategy('random', 1)), overlay.id).not.toThrow();
      }
    }
  });

  it.each(allBugs.map((bug) => [bug.id, bug] as const))('%s shows, and only with the bug', (_id, bug) => {
    const found = hunt(bug, bug, SCHEDULES);
    expect(found).not.toBeNull();
    if (found !== null) expect(isExpected(found, bug.expected), found.message).toBe(true);
    expect(hunt(bug, null, SCHEDULES_WITHOUT)).toBeNull();
  });

  it.each(withFailure)('%s does not show by the failure that it needs', (_id, bug, inject) => {
    expect(hunt(bug, { ...bug, apply: inject }, SCHEDULES_WITHOUT)).toBeNull();
  });
});
