/** One address space: its areas, page table, locks, reference counts and notifier subscriptions. */

import { assert } from '../../base/assert.js';
import type { Vpn } from '../../base/units.js';
import { RadixTable } from '../../memory/radixTable.js';
import { LockClass } from '../../sim/lockOrder.js';
import { RwLock } from '../../sim/rwLock.js';
import { VmaTree } from '../area/vmaTree.js';
import type { Userfaultfd } from '../fault/userfaultfd.js';
import type { Kernel } from '../kernel.js';
import { NotifierSubscriptions } from '../mirror/mmuNotifier.js';

const mmapLockClass = new LockClass('mmap_lock');

/** @kernel mm_struct */
export class Mm {
  /** Read: faults, migration, HMM. Write: changes to the areas. @kernel mmap_lock */
  readonly mmapLock: RwLock;
  /** Guarded by mmapLock. @kernel mm_mt */
  readonly vmas = new VmaTree();
  /** Entries change only in code without a yield, which stands for the page-table lock. */
  readonly pageTable: RadixTable;
  readonly notifiers: NotifierSubscriptions;
  /** Who may use the address space; the last one tears it down. @kernel mm_users */
  users = 1;
  /** Who may look at this object, users counting as one. @kernel mm_count */
  count = 1;
  /** The heap's first and one past its last page. @kernel start_brk, brk */
  brkStart: Vpn = 0 as Vpn;
  brkEnd: Vpn = 0 as Vpn;

  /** Who fills missing pages of areas with VmFlag.UffdMissing. @kernel vm_userfaultfd_ctx */
  userfaultfd: Userfaultfd | null = null;

  constructor(
    readonly kernel: Kernel,
    readonly id: number,
  ) {
    this.mmapLock = new RwLock(kernel.sched, `mmap_lock of mm ${id}`, mmapLockClass);
    this.pageTable = new RadixTable(kernel.tables);
    this.notifiers = new NotifierSubscriptions(kernel.sched, this);
    kernel.mms.add(this);
  }

  /** False once the last user is gone. @kernel mmget_not_zero */
  getNotZero(): boolean {
    if (this.users === 0) return false;
    this.users++;
    return true;
  }

  /**
   * One user leaves, where it may not sleep or may hold locks that exit takes: if it is the last one, a task of its own tears the address
   * space down. Who may sleep calls `ExitMm.mmput`. @kernel mmput_async
   */
  put(): void {
    assert(this.users > 0, () => `mm ${this.id} loses a user that it has not`);
    this.users--;
    if (this.users > 0) return;
    assert(this.kernel.reapMm !== null, () => `nobody is there to tear down mm ${this.id}`);
    this.kernel.reapMm(this);
  }

  /** @kernel mmgrab */
  grab(): void {
    assert(this.count > 0, () => `mm ${this.id} is gone`);
    this.count++;
  }

  /** The last one frees the root of the page table, which no CPU thread walks from then on. @kernel mmdrop, pgd_free */
  drop(): void {
    assert(this.count > 0, () => `mm ${this.id} is dropped once too often`);
    this.count--;
    if (this.count > 0) return;
    this.kernel.mms.delete(this);
    this.kernel.leaveMm?.(this);
    this.pageTable.destroy();
  }
}
