/** The end of an address space: what the last user does when it leaves. */

import { assert } from '../../base/assert.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { VmaEdit } from '../area/vmaEdit.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Zap } from '../table/zap.js';
import type { Mm } from './mm.js';

export const ExitStep = {
  exit: defineStep('mm.exit', 'id'),
  torn: defineStep('exit.torn', 'id'),
} as const;

const FIRST_PAGE = 0 as Vpn;
const PAST_LAST_PAGE = TASK_SIZE_PAGES as Vpn;

export class ExitMm {
  constructor(
    private readonly kernel: Kernel,
    private readonly edit: VmaEdit,
    private readonly zap: Zap,
  ) {
    const { sched } = kernel;
    const reapMm = (mm: Mm): void => {
      sched.spawn(sched.self.actor, `exit of mm ${mm.id}`, this.tearDown(mm));
    };
    kernel.reapMm = reapMm;
  }

  /** One user leaves; the last one tears the address space down and drops the users' mm_count. May sleep. @kernel mmput */
  *mmput(mm: Mm): Steps<void> {
    assert(mm.users > 0, () => `mm ${mm.id} loses a user that it has not`);
    mm.users--;
    if (mm.users > 0) return;
    yield* this.tearDown(mm);
  }

  /** The last user is gone; mm_count falls by the one that all users held together. @kernel __mmput */
  private *tearDown(mm: Mm): Steps<void> {
    yield* this.exitMmap(mm);
    mm.drop();
  }

  /** RELEASE first, so that every mirror is gone before the pages go. No lock is held. @kernel exit_mmap */
  private *exitMmap(mm: Mm): Steps<void> {
    if (this.kernel.sched.reach(ExitStep.exit, mm.id)) yield STEP;
    yield* this.release(mm);
    if (mm.vmas.size > 0) yield* this.unmapAll(mm);
    yield* mm.mmapLock.write();
    for (const vma of [...mm.vmas]) {
      mm.vmas.remove(vma);
      this.edit.destroy(vma);
    }
    this.zap.freeTables(mm, FIRST_PAGE, PAST_LAST_PAGE);
    mm.mmapLock.writeUnlock();
    this.kernel.sched.at(ExitStep.torn, mm.id);
  }

  /** One synthetic invalidation of everything, start and end in a row. @kernel mmu_notifier_release, mn_itree_release */
  private *release(mm: Mm): Steps<void> {
    const range = notifierRange(NotifyEvent.Release, FIRST_PAGE, PAST_LAST_PAGE);
    yield* mm.notifiers.invalidateStart(range);
    yield* mm.notifiers.invalidateEnd(range);
  }

  /** @kernel unmap_vmas */
  private *unmapAll(mm: Mm): Steps<void> {
    const range = notifierRange(NotifyEvent.Unmap, FIRST_PAGE, PAST_LAST_PAGE);
    yield* mm.mmapLock.read();
    yield* mm.notifiers.invalidateStart(range);
    yield* this.zap.zapRange(mm, FIRST_PAGE, PAST_LAST_PAGE);
    yield* mm.notifiers.invalidateEnd(range);
    mm.mmapLock.readUnlock();
  }
}
