/** A schedule that is run twice goes the same way twice, unless something besides it decides. */

import { describe, expect, it } from 'vitest';
import { buffer, bugCase, mirrorOn } from '../../src/bugs/bugCase.js';
import type { BugOverlay } from '../../src/bugs/bugOverlay.js';
import { runBlockOn } from '../../src/explore/block.js';
import { subjectOf } from '../../src/explore/subject.js';
import { STEPS_MAX, SubjectRunner } from '../../src/explore/subjectRunner.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
import { actorId } from '../../src/sim/task.js';

const subject = bugCase({
  name: 'a device reads',
  steps: [
    ...mirrorOn(1),
    buffer('A', 1),
    { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
  ],
});

function* anotherTask(): Steps<void> {
  yield STEP;
}

/** What it does follows from how often it was put in, which no schedule says. */
function everySecondTime(): BugOverlay {
  let machines = 0;
  return {
    id: 'B0',
    title: '',
    wrong: '',
    reference: '',
    subject,
    expected: [],
    apply: ({ sched }) => {
      if (machines++ % 2 === 1) sched.spawn(actorId(0), 'another', anotherTask());
    },
  };
}

function firstVerdict(
  overlay: BugOverlay | null,
): ReturnType<typeof runBlockOn>['findings'][number] | undefined {
  const runner = new SubjectRunner(subjectOf(subject), { checkers: [], overlay, stepsMax: STEPS_MAX });
  const target = { source: subject, bug: null };
  const task = {
    target,
    targetKey: '',
    index: 0,
    strategy: 'random',
    seed: 1,
    schedules: 3,
    endAtSharedMs: Number.POSITIVE_INFINITY,
  } as const;
  return runBlockOn(runner, task, true).findings[0];
}

describe('a block of schedules', () => {
  it('runs one of them again, and tells where it went another way', () => {
    const found = firstVerdict(everySecondTime());
    expect(found?.verdict.kind).toBe('nondeterminism');
    expect(found?.verdict.details.join('\n')).toMatch(/tasks: \d+, then \d+/);
  });

  it('says nothing of what the schedule alone decides', () => {
    expect(firstVerdict(null)).toBeUndefined();
  });
});
