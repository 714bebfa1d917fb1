/** Truncation: a file gets another end, and what lay beyond leaves memory and every page table. */

import { assert } from '../../base/assert.js';
import type { Vpn } from '../../base/units.js';
import { NO_PFN } from '../../memory/pfn.js';
import { LockClass } from '../../sim/lockOrder.js';
import { Mutex } from '../../sim/mutex.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import type { Zap } from '../table/zap.js';
import type { AddressSpace } from './addressSpace.js';

export const TruncateStep = {
  /** What lay beyond the end is unmapped; faults that were under way may map it once more. */
  unmapped: defineStep('truncate.unmapped', 'count', 'id'),
} as const;

/** A fault that holds a page beyond the end maps it once; nobody gets there afterwards. */
const ROUNDS_MAX = 100;

const truncateLockClass = new LockClass('i_rwsem');

export class Truncate {
  /** One for all files: the end of a file moves seldom, and by one at a time. @kernel inode_lock */
  private readonly lock: Mutex;

  constructor(
    private readonly kernel: Kernel,
    private readonly zap: Zap,
  ) {
    this.lock = new Mutex(kernel.sched, 'i_rwsem', truncateLockClass);
  }

  /** The file has `npages` pages from now on; those that it gains are zeros. No lock is held. @kernel truncate_setsize, truncate_pagecache */
  *truncate(mapping: AddressSpace, npages: number): Steps<void> {
    yield* this.lock.lock();
    const shrinks = npages < mapping.npages;
    mapping.npages = npages;
    if (shrinks) yield* this.dropAll(mapping);
    this.lock.unlock();
  }

  /** All that lies beyond the end. */
  private *dropAll(mapping: AddressSpace): Steps<void> {
    this.forget(mapping);
    let rounds = 0;
    do {
      assert(rounds++ < ROUNDS_MAX, 'pages beyond the end of a file are mapped again and again');
      yield* this.unmapBeyond(mapping);
    } while (!(yield* this.dropBeyond(mapping)));
    // What was being written when the end moved.
    this.forget(mapping);
    // Private copies may have been made of the pages meanwhile.
    yield* this.unmapBeyond(mapping);
  }

  /** On disk and in swap. */
  private forget(mapping: AddressSpace): void {
    for (const index of [...mapping.stored.keys()]) if (index >= mapping.npages) mapping.stored.delete(index);
    this.kernel.pageCache.forgetSwapped(mapping, mapping.npages);
  }

  /** Private copies go too. @kernel unmap_mapping_range */
  private *unmapBeyond(mapping: AddressSpace): Steps<void> {
    const mms = new Set<Mm>();
    for (const { value } of mapping.areas) mms.add(value.mm);
    for (const mm of mms) mm.grab();
    for (const mm of mms) {
      yield* mm.mmapLock.read();
      yield* this.unmapIn(mm, mapping);
      mm.mmapLock.readUnlock();
      mm.drop();
    }
    if (this.kernel.sched.reach(TruncateStep.unmapped, mapping.npages, mapping.id)) yield STEP;
  }

  /** Also in areas that a munmap has taken out of the address space, and not emptied yet. @kernel unmap_mapping_range_vma */
  private *unmapIn(mm: Mm, mapping: AddressSpace): Steps<void> {
    for (const { value } of [...mapping.areas]) {
      const { mm: owner, vma } = value;
      if (owner !== mm) continue;
      const start = (vma.start + Math.max(0, mapping.npages - vma.pgoff)) as Vpn;
      if (start >= vma.end) continue;
      const range = notifierRange(NotifyEvent.Clear, start, vma.end);
      yield* mm.notifiers.invalidateStart(range);
      yield* this.zap.zapRange(mm, start, vma.end);
      yield* mm.notifiers.invalidateEnd(range);
    }
  }

  /** False if a page was mapped again, and had to stay. @kernel truncate_inode_pages */
  private *dropBeyond(mapping: AddressSpace): Steps<boolean> {
    const { folios, folioLocks, pageCache } = this.kernel;
    let isDone = true;
    for (const index of [...mapping.pages.keys()].filter((at) => at >= mapping.npages)) {
      const pfn = pageCache.find(mapping, index);
      if (pfn === NO_PFN) continue;
      folios.get(pfn);
      yield* folioLocks.lock(pfn);
      const isMapped = folios.mapcount(pfn) > 0;
      const isThere = pageCache.find(mapping, index) === pfn;
      if (isThere && !isMapped) pageCache.drop(pfn);
      else isDone = false;
      folioLocks.unlock(pfn);
      folios.put(pfn);
    }
    return isDone;
  }
}
