/** Runs a small program with one step of the protocol wrong on purpose, and tells what the checkers say of it. */

import type { Errno } from '../../../src/base/errno.js';
import { buffer, bugCase, mirrorOn } from '../../../src/bugs/bugCase.js';
import type { BugOverlay, SubjectSource } from '../../../src/bugs/bugOverlay.js';
import { allCheckers } from '../../../src/check/online/allCheckers.js';
import type { CheckerKind } from '../../../src/check/online/checker.js';
import { subjectOf } from '../../../src/explore/subject.js';
import { SubjectRunner } from '../../../src/explore/subjectRunner.js';
import type { Verdict } from '../../../src/explore/verdict.js';
import type { Steps } from '../../../src/sim/steps.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';

export const gpuRead = (dev: string, pages = 1): unknown => ({
  op: 'gpu_read',
  args: { dev, buf: 'A', off: 0, pages },
});

export const gpuWrite = (dev: string, pages = 1): unknown => ({
  op: 'gpu_write',
  args: { dev, buf: 'A', off: 0, pages, pattern: { p: 'const', v: 7 } },
});

export const cpuWrite = (pages = 1): unknown => ({
  op: 'cpu_write',
  args: { buf: 'A', off: 0, pages, pattern: { p: 'const', v: 5 } },
});

export const cpuRead = (pages = 1): unknown => ({ op: 'cpu_read', args: { buf: 'A', off: 0, pages } });

export const unmap = (pages = 1): unknown => ({ op: 'munmap', args: { buf: 'A', off: 0, pages } });

/** Devices mirror a process with a buffer `A`, and then these steps. */
export function program(devices: number, pages: number, ...steps: readonly unknown[]): SubjectSource {
  return bugCase({ name: 'a small program', steps: [...mirrorOn(devices), buffer('A', pages), ...steps] });
}

/** Written by the CPU, then by the device, to whose memory it goes, then back, and gone. */
export const roundTrip = program(1, 1, cpuWrite(), gpuWrite('gpu0'), cpuRead(), unmap());

/** What one kind of checker alone says; other kinds might come first. Deterministic. */
export function wrongRun(
  kinds: readonly CheckerKind[],
  apply: BugOverlay['apply'],
  subject: SubjectSource = roundTrip,
  seed = 1,
): Verdict | null {
  const overlay: BugOverlay = {
    id: 'B0',
    title: 'a step that is wrong on purpose',
    wrong: '',
    reference: '',
    subject,
    expected: [],
    apply,
  };
  const runner = new SubjectRunner(subjectOf(subject), { checkers: kinds, overlay, stepsMax: 5000 });
  return runner.run(new RandomStrategy(seed))?.verdict ?? null;
}

/** The invariant that all checkers together say is broken; null where all is well, or something else is wrong. */
export function brokenBy(apply: BugOverlay['apply'], subject?: SubjectSource): string | null {
  return wrongRun(allCheckers, apply, subject)?.invariant ?? null;
}

/** Schedules of which one has to show it: something else may go wrong first. */
const SEEDS = [1, 2, 3, 4, 5, 6];

/** What the checker of one invariant says; null where it says nothing. */
export function saidBy(id: string, apply: BugOverlay['apply'], subject?: SubjectSource): string | null {
  const kinds = allCheckers.filter((kind) => kind.id === id);
  for (const seed of SEEDS) {
    const verdict = wrongRun(kinds, apply, subject, seed);
    if (verdict?.invariant === id) return verdict.message;
  }
  return null;
}

/** In place of a method: it does nothing, and says `errno`. */
export function answering<E extends Errno>(errno: E): () => () => Steps<E> {
  return () =>
    function* () {
      return errno;
    };
}
