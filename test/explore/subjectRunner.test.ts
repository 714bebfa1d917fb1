/** How a subject is run again and again, and judged. */

import { describe, expect, it } from 'vitest';
import { buffer, bugCase, concurrent, mirrorOn } from '../../src/bugs/bugCase.js';
import type { BugOverlay } from '../../src/bugs/bugOverlay.js';
import { findBug } from '../../src/bugs/catalogue.js';
import { replaceMethod } from '../../src/bugs/replaceMethod.js';
import { allCheckers } from '../../src/check/online/allCheckers.js';
import { ReplayStrategy } from '../../src/explore/strategies/replay.js';
import { type Subject, subjectOf } from '../../src/explore/subject.js';
import { STEPS_MAX, SubjectRunner } from '../../src/explore/subjectRunner.js';
import type { Verdict } from '../../src/explore/verdict.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';

const race = bugCase({
  name: 'two devices add to a page',
  steps: [
    ...mirrorOn(2),
    buffer('A', 1),
    concurrent(
      [{ op: 'gpu_add', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1, value: 1 }, as: 'a' }],
      [{ op: 'gpu_add', args: { dev: 'gpu1', buf: 'A', off: 0, pages: 1, value: 1 }, as: 'b' }],
    ),
    { op: 'cpu_read', args: { buf: 'A', off: 0, pages: 1 }, as: 'c' },
  ],
  expect: [{ type: 'ret', step: 'a', value: 0 }],
});

function runnerFor(subject: Subject, bug: string | null = null): SubjectRunner {
  const overlay = bug === null ? null : findBug(bug);
  return new SubjectRunner(subject, { checkers: allCheckers, overlay, stepsMax: STEPS_MAX });
}

const rightOverlay: BugOverlay = {
  id: 'B0',
  title: '',
  wrong: '',
  reference: '',
  subject: race,
  expected: [],
  apply: () => {},
};

describe('SubjectRunner', () => {
  it('runs a case again and again, each time on a machine as new', () => {
    const runner = runnerFor(subjectOf(race));
    const strategy = new RandomStrategy(1, 20);
    const hashes = new Set<number>();
    for (let outcome = runner.run(strategy); outcome !== null; outcome = runner.run(strategy)) {
      expect(outcome.verdict).toBeNull();
      expect(outcome.steps).toBeGreaterThan(100);
      hashes.add(outcome.hash);
    }
    expect(hashes.size).toBe(20);
  });

  it('repeats a run from its choices alone', () => {
    const runner = runnerFor(subjectOf(race));
    const strategy = new RandomStrategy(7);
    for (let i = 0; i < 10; i++) {
      const first = runner.run(strategy);
      if (first === null) throw new Error('the random strategy has an end');
      const replay = new ReplayStrategy(first.choices);
      const again = runner.run(replay);
      expect(again).toEqual(first);
      expect(replay.isExact).toBe(true);
    }
  });

  it('tells of a wrong method of an overlay, and takes it for no bug that was found', () => {
    const misspelt: Record<string, () => void> = { unmapParts() {} };
    const overlay: BugOverlay = {
      ...rightOverlay,
      apply: ({ coordinator: { gpuFaults } }) =>
        replaceMethod(
          gpuFaults,
          'handle',
          (right) =>
            function* (...args) {
              replaceMethod(misspelt, 'unmapPart', (same) => same);
              return yield* right(...args);
            },
        ),
    };
    const runner = new SubjectRunner(subjectOf(race), {
      checkers: allCheckers,
      overlay,
      stepsMax: STEPS_MAX,
    });
    const named = expect.objectContaining({ exitCode: 2, hint: "did you mean 'unmapParts'?" });
    expect(() => runner.run(new RandomStrategy(1))).toThrow(named);
  });

  it('judges a case by its expectations', () => {
    if (race.kind !== 'case') throw new Error('no case');
    const expected = bugCase({
      name: 'wrong on purpose',
      steps: race.program.steps,
      expect: [{ type: 'data', step: 'c', equals: { p: 'const', v: 3 } }],
    });
    const verdict = runnerFor(subjectOf(expected)).run(new RandomStrategy(1))?.verdict;
    expect(verdict?.kind).toBe('wrong-data');
  });

  it('calls it a leak when something is left that only the tear-down should have freed', () => {
    const binds = bugCase({
      name: 'an object is bound',
      steps: [{ op: 'gpuvm_bind_bo', args: { start: 0, end: 4, bo: 'X', bo_off: 0 } }],
    });
    const forgets: BugOverlay = {
      id: 'B0',
      title: 'the tear-down keeps an object',
      wrong: '',
      reference: '',
      subject: binds,
      expected: [],
      apply: ({ coordinator }) =>
        replaceMethod(
          coordinator,
          'tearDown',
          (right) =>
            function* () {
              const [bo] = coordinator.gpus[0].bos;
              bo.get();
              yield* right();
            },
        ),
    };
    const verdictWith = (overlay: BugOverlay | null): Verdict | null => {
      const options = { checkers: allCheckers, overlay, stepsMax: STEPS_MAX };
      return new SubjectRunner(subjectOf(binds), options).run(new RandomStrategy(1))?.verdict ?? null;
    };
    const verdict = verdictWith(forgets);
    expect([verdict?.kind, verdict?.invariant]).toEqual(['leak', 'torn-down memory']);
    expect(verdict?.message).toContain('4 pages of VRAM are in use');
    expect(verdictWith(null)).toBeNull();
  });

  it('says who waits for what in a deadlock', () => {
    const bug = findBug('B86');
    if (bug === null) throw new Error('B86 is missing');
    const runner = runnerFor(subjectOf(bug.subject), 'B86');
    const strategy = new RandomStrategy(1, 200);
    let outcome = runner.run(strategy);
    while (outcome !== null && outcome.verdict === null) outcome = runner.run(strategy);
    const verdict = outcome?.verdict;
    expect(verdict?.kind).toBe('deadlock');
    const details = verdict?.details.join('\n');
    expect(details).toMatch(
      /in a circle: garbage collector of svm#\d+ waits for cpu\.ioctl#\d+ waits for garbage/,
    );
    expect(details).toMatch(
      /waits for the end of the garbage collector, held by garbage collector of svm#\d+/,
    );
    expect(details).toMatch(/cpu0: .* waits for a reply of the coordinator to .*, held by cpu\.\w+#\d+/);
  });
});
