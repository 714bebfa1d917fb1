/** The lock of a buffer object and its fences; many are held at once, without an order among them, by backing off. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { LockClass } from '../../sim/lockOrder.js';
import { RwLock } from '../../sim/rwLock.js';
import type { Scheduler } from '../../sim/scheduler.js';
import type { Steps } from '../../sim/steps.js';
import type { DmaFence } from '../dmaFence.js';

/** Tasks that hold one may take another: who holds the elder ticket waits, the other backs off. @kernel reservation_ww_class */
const resvClass = new LockClass('reservation', { nests: true });

/** What a fence is for, and so who waits for it: whoever waits for one kind waits for those before it. @kernel dma_resv_usage */
export const DmaResvUsage = {
  /** The memory itself is moved or cleared. @kernel DMA_RESV_USAGE_KERNEL */
  Kernel: 0,
  /** The memory is written: whoever reads it waits. @kernel DMA_RESV_USAGE_WRITE */
  Write: 1,
  /** The memory is read: whoever writes it waits. @kernel DMA_RESV_USAGE_READ */
  Read: 2,
  /** Nobody synchronises with it by itself. @kernel DMA_RESV_USAGE_BOOKKEEP */
  Bookkeep: 3,
} as const;
export type DmaResvUsage = (typeof DmaResvUsage)[keyof typeof DmaResvUsage];

/** Tickets are numbers, the elder the smaller. Whoever locks a single one needs none: it waits for nothing else meanwhile. */
export const NO_TICKET = Number.POSITIVE_INFINITY;

/** What guards an object: objects that share a VM's reservation are private to that VM. @kernel dma_resv */
export interface Reservation {
  readonly name: string;
  /** Fails unless the running task holds it. @kernel dma_resv_assert_held */
  assertHeld(): void;
}

interface HeldFence {
  readonly fence: DmaFence;
  readonly usage: DmaResvUsage;
}

export class DmaResv implements Reservation {
  private readonly inner: RwLock;
  /** Of the holder and of those that wait, in order. */
  private readonly tickets: number[] = [];
  private held: HeldFence[] = [];
  private reserved = 0;

  constructor(
    sched: Scheduler,
    readonly name: string,
  ) {
    this.inner = new RwLock(sched, name, resvClass);
  }

  /**
   * Errors: -EALREADY, the task has it; -EDEADLK, an elder ticket has it or comes first: the caller must let go of all that it has, and begin with
   * this one. Who has no ticket, or nothing else by it, waits: that is no danger. @kernel dma_resv_lock, __ww_mutex_check_kill
   */
  *lock(ticket: number = NO_TICKET, hasOthers = false): Steps<Errno> {
    if (this.inner.heldForWrite()) return Errno.EALREADY;
    if (hasOthers && this.tickets.some((other) => other < ticket)) return Errno.EDEADLK;
    yield* this.lockSlow(ticket);
    return Errno.OK;
  }

  /** The caller holds no other reservation. @kernel dma_resv_lock_slow */
  *lockSlow(ticket: number): Steps<void> {
    this.tickets.push(ticket);
    yield* this.inner.write();
  }

  /** Without waiting: false when somebody has it. @kernel dma_resv_trylock */
  tryLock(): boolean {
    if (!this.inner.tryWrite()) return false;
    this.tickets.push(NO_TICKET);
    return true;
  }

  /** Releases it for the one that has waited longest, and forgets places for fences that nobody used. @kernel dma_resv_unlock */
  unlock(): void {
    // Fair: who waits first gets it first, so the holder's ticket is the first.
    this.tickets.shift();
    this.reserved = 0;
    this.inner.writeUnlock();
  }

  /** Whether the running task holds it. @kernel dma_resv_held */
  get isHeld(): boolean {
    return this.inner.heldForWrite();
  }

  get isLocked(): boolean {
    return this.inner.isLocked;
  }

  assertHeld(): void {
    this.inner.assertHeldForWrite();
  }

  /** Makes sure that as many fences can be added before the lock is released. @kernel dma_resv_reserve_fences */
  reserveFences(count: number): void {
    this.assertHeld();
    this.held = this.held.filter(({ fence }) => !fence.isSignalled);
    this.reserved = Math.max(this.reserved, count);
  }

  /** Never fails: its place was reserved. @kernel dma_resv_add_fence */
  addFence(fence: DmaFence, usage: DmaResvUsage): void {
    this.assertHeld();
    assert(this.reserved > 0, () => `${this.name} has no place for another fence`);
    this.reserved--;
    this.held.push({ fence, usage });
  }

  /** Those that have not signalled. */
  fences(usage: DmaResvUsage): readonly DmaFence[] {
    return this.held.filter((one) => one.usage <= usage && !one.fence.isSignalled).map(({ fence }) => fence);
  }

  /** Whether all fences of the usage, and of those before it, have signalled. @kernel dma_resv_test_signaled */
  isIdle(usage: DmaResvUsage): boolean {
    return this.fences(usage).length === 0;
  }

  /** Until all fences of the usage, and of those before it, have signalled. @kernel dma_resv_wait_timeout */
  *wait(usage: DmaResvUsage): Steps<void> {
    for (const fence of this.fences(usage)) yield* fence.wait();
  }
}
