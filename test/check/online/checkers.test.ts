/** That each checker trips on a protocol that is wrong on purpose, and only then. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { buffer, bugCase, mirrorOn } from '../../../src/bugs/bugCase.js';
import type { BugOverlay } from '../../../src/bugs/bugOverlay.js';
import { replaceMethod } from '../../../src/bugs/replaceMethod.js';
import { allCheckers } from '../../../src/check/online/allCheckers.js';
import { subjectOf } from '../../../src/explore/subject.js';
import { SubjectRunner } from '../../../src/explore/subjectRunner.js';
import type { Verdict } from '../../../src/explore/verdict.js';
import { NotifyEvent } from '../../../src/mm/mirror/mmuNotifier.js';
import { RandomStrategy } from '../../../src/sim/virtual/randomStrategy.js';
import { saidBy } from './wrongRun.js';

const subject = bugCase({
  name: 'one device reads and its page goes',
  steps: [
    ...mirrorOn(1),
    buffer('A', 1),
    { op: 'gpu_read', args: { dev: 'gpu0', buf: 'A', off: 0, pages: 1 } },
    { op: 'munmap', args: { buf: 'A', off: 0, pages: 1 } },
  ],
});

/** What the checkers say of a run in which one step is wrong. */
function verdictWith(apply: BugOverlay['apply']): Verdict | null {
  const overlay: BugOverlay = {
    id: 'B0',
    title: 'a step that is wrong on purpose',
    wrong: '',
    reference: '',
    subject,
    expected: [],
    apply,
  };
  const runner = new SubjectRunner(subjectOf(subject), { checkers: allCheckers, overlay, stepsMax: 5000 });
  return runner.run(new RandomStrategy(1))?.verdict ?? null;
}

describe('checkers that watch each step', () => {
  it('say nothing where all is well', () => {
    expect(verdictWith(() => {})).toBeNull();
  });

  it('I2: trips when an invalidation does not end', () => {
    const verdict = verdictWith(({ coordinator }) =>
      replaceMethod(
        coordinator.mm.notifiers,
        'invalidateEnd',
        (right) =>
          function* (range) {
            if (range.event !== NotifyEvent.Unmap) yield* right(range);
          },
      ),
    );
    expect(verdict?.invariant).toBe('I2');
  });

  it('I2: trips when one ends twice', () => {
    const verdict = verdictWith(({ coordinator }) =>
      replaceMethod(
        coordinator.mm.notifiers,
        'invalidateEnd',
        (right) =>
          function* (range) {
            yield* right(range);
            coordinator.mm.notifiers.activeInvalidations++;
            yield* right(range);
          },
      ),
    );
    expect(verdict?.invariant).toBe('I2');
  });

  it('L3: trips when get_pages comes back with a lock', () => {
    const verdict = verdictWith(({ coordinator }) => {
      const [{ gpusvm, dma }] = coordinator.vms;
      replaceMethod(dma, 'mapIfCurrent', (right) => (...args) => {
        const result = right(...args);
        if (result === Errno.OK) expect(gpusvm.notifierLock.tryRead()).toBe(true);
        return result;
      });
    });
    expect(verdict?.invariant).toBe('L3');
  });

  it('L3: trips when a copy home leaves a folio locked, and when munmap keeps the lock of the address space', () => {
    const folio = saidBy('L3', ({ coordinator: { kernel, migrate } }) =>
      replaceMethod(migrate.home, 'onlyOf', (right) => (src, npages, zdd) => {
        expect(kernel.folioLocks.trylock(kernel.zeroPage)).toBe(true);
        return right(src, npages, zdd);
      }),
    );
    expect(folio).toContain('pagemap.toRamDone with');
    const mmap = saidBy('L3', ({ coordinator: { mm } }) =>
      replaceMethod(mm.mmapLock, 'readUnlock', (right) => () => {
        if (mm.vmas.size > 0) right();
      }),
    );
    expect(mmap).toContain('leaves mm.unmapped with');
  });
});
