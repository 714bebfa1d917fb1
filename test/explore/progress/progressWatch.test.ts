/** Runs that get nowhere, as a whole or for one actor, and runs that do. */

import { describe, expect, it } from 'vitest';
import type { Machine } from '../../../src/actors/machine.js';
import { buffer, bugCase, concurrent, hugeBuffer, mirrorOn } from '../../../src/bugs/bugCase.js';
import type { BugOverlay, SubjectSource } from '../../../src/bugs/bugOverlay.js';
import { findBug } from '../../../src/bugs/catalogue.js';
import { replaceMethod } from '../../../src/bugs/replaceMethod.js';
import { allCheckers } from '../../../src/check/online/allCheckers.js';
import type { Outcome } from '../../../src/explore/outcome.js';
import { subjectOf } from '../../../src/explore/subject.js';
import { STEPS_MAX, SubjectRunner } from '../../../src/explore/subjectRunner.js';
import type { Verdict } from '../../../src/explore/verdict.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';
import { WaitQueue } from '../../../src/sim/waitQueue.js';

function verdictOf(source: SubjectSource, apply: BugOverlay['apply'], stepsMax: number): Verdict | null {
  return outcomeOf(source, apply, stepsMax)?.verdict ?? null;
}

function outcomeOf(source: SubjectSource, apply: BugOverlay['apply'], stepsMax: number): Outcome | null {
  const overlay = {
    id: 'B0',
    title: '',
    wrong: '',
    reference: '',
    subject: source,
    expected: [],
    apply,
  };
  const runner = new SubjectRunner(subjectOf(source), { checkers: allCheckers, overlay, stepsMax });
  return runner.run(new RandomStrategy(1));
}

const read = (op: string, extra: object = {}): unknown => ({
  op,
  args: { buf: 'A', off: 0, pages: 1, ...extra },
});

const drop = { op: 'madvise', args: { buf: 'B', advice: 'dontneed' } };

const gpuBesideCpu = (reads: number): SubjectSource =>
  bugCase({
    name: 'a device and a thread read a page',
    steps: [
      ...mirrorOn(1),
      buffer('A', 1),
      buffer('B', 1),
      concurrent(
        [read('gpu_read', { dev: 'gpu0' })],
        [{ op: 'repeat', args: { count: reads, steps: [drop, read('cpu_read', { buf: 'B' })] } }],
      ),
    ],
  });

/** The device never finds the entries that it was given. */
const neverFinds = ({ devices }: Machine): void => {
  for (const { gpu } of devices) replaceMethod(gpu.mmu, 'tryPage', () => () => -1);
};

/** A fault waits for what nobody will say. */
const neverAnswers = ({ sched, coordinator }: Machine): void => {
  const forever = new WaitQueue(sched, 'an answer that does not come');
  for (const vm of coordinator.vms) {
    replaceMethod(
      vm,
      'partOf',
      (right) =>
        function* (range, gpu) {
          yield* forever.wait();
          return yield* right(range, gpu);
        },
    );
  }
};

describe('a run that gets nowhere', () => {
  it('is a livelock that names a round of the cycle', () => {
    const bug = findBug('B61');
    if (bug === null) throw new Error('B61 is missing');
    const verdict = verdictOf(bug.subject, bug.apply, 4000);
    expect(verdict).toMatchObject({ kind: 'livelock', invariant: 'L2' });
    expect(verdict?.message).toContain('the same state came');
    const [title, ...round] = verdict?.details ?? [];
    expect(title).toBe('one round of the cycle:');
    expect(round.join('\n')).toMatch(/coordinator: gpu\.fault: driver\.faultDone/);
    expect(round.join('\n')).toMatch(/gpu0: .*: device\.contextBlocked/);
  });

  it('is a livelock where no state comes again, but one program faults over and over and nobody gets anything done', () => {
    const bug = findBug('B26');
    if (bug === null) throw new Error('B26 is missing');
    const verdict = verdictOf(bug.subject, bug.apply, STEPS_MAX);
    expect(verdict).toMatchObject({ kind: 'livelock', invariant: 'L2' });
    expect(verdict?.message).toMatch(
      /^cpu\d: .* faulted \d+ times at 0x\w+, and nobody got anything done in between$/,
    );
    expect(verdict?.details.join('\n')).toMatch(/cpu\d: .*: cpu\.fault/);
  });

  it('names the faults and the migration of a fault that spins', () => {
    const bug = findBug('B25');
    if (bug === null) throw new Error('B25 is missing');
    const verdict = verdictOf(bug.subject, bug.apply, STEPS_MAX);
    expect(verdict?.message).toContain('the same state came');
    expect(verdict?.details.join('\n')).toMatch(/coordinator: cpu\.fault: fault\.handle/);
  });

  it('is a starvation where others get on', () => {
    const verdict = verdictOf(gpuBesideCpu(1000), neverFinds, 6000);
    expect(verdict?.kind).toBe('starvation');
    expect(verdict?.message).toMatch(
      /^gpu0: gpu0\.workload\d\.0 faulted \d+ times at 0x\w+, while others did \d+/,
    );
  });

  it('is a starvation where a request is never done and others get on', () => {
    const verdict = verdictOf(gpuBesideCpu(10_000), neverAnswers, STEPS_MAX);
    expect(verdict?.kind).toBe('starvation');
    expect(verdict?.message).toMatch(/^coordinator: gpu\.fault does not end, while others did \d+/);
    expect(verdict?.details[0]).toContain('waits for an answer that does not come');
  });

  it('is a livelock where the others have ended', () => {
    expect(verdictOf(gpuBesideCpu(1), neverFinds, 4000)).toMatchObject({ kind: 'livelock', invariant: 'L2' });
  });
});

describe('a run that gets on', () => {
  it('is neither, however long it takes', () => {
    expect(verdictOf(gpuBesideCpu(300), () => {}, 5000)).toBeNull();
  });

  it('is not decided where its steps run out', () => {
    const outcome = outcomeOf(gpuBesideCpu(1000), () => {}, 500);
    expect(outcome).toMatchObject({ verdict: null, isUndecided: true, steps: 4000 });
  });

  it('is none where one long operation passes the same step again and again, each time with the next pages', () => {
    const migration = bugCase({
      name: 'a device fetches a huge page of which no page was touched',
      steps: [...mirrorOn(1), ...hugeBuffer('A'), read('gpu_read', { dev: 'gpu0' })],
      params: { chunk_sizes: [512] },
    });
    expect(verdictOf(migration, () => {}, 250)?.message ?? 'none').not.toContain('the same state came');
  });
});
