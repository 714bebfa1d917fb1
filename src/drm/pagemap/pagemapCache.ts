/** Remembers the pagemap of one region of device memory, also while nobody uses it, so that it need not be made again. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { Completion } from '../../sim/completion.js';
import { LockClass } from '../../sim/lockOrder.js';
import { Mutex } from '../../sim/mutex.js';
import type { Scheduler } from '../../sim/scheduler.js';
import type { Steps } from '../../sim/steps.js';
import type { DrmPagemap } from './drmPagemap.js';
import type { DrmPagemapShrinker } from './pagemapShrinker.js';

const lookupLockClass = new LockClass('pagemap cache lock');

/** Holds one pagemap, without a reference. @kernel drm_pagemap_cache */
export class DrmPagemapCache {
  private dpagemap: DrmPagemap | null;
  /** Makes looking up, and making one where there is none, one operation. */
  private readonly lookupMutex: Mutex;
  /** Completes when the pagemap, which nobody uses, is on the shrinker's list. */
  private queued: Completion;
  private isGone = false;

  /** `initial` is what it holds before anybody can look. @kernel drm_pagemap_cache_create_devm */
  constructor(
    private readonly sched: Scheduler,
    readonly shrinker: DrmPagemapShrinker,
    initial: DrmPagemap | null = null,
  ) {
    this.dpagemap = initial;
    if (initial !== null) initial.cache = this;
    this.lookupMutex = new Mutex(sched, `pagemap cache of ${shrinker.device.life.name}`, lookupLockClass);
    this.queued = this.newQueued();
    shrinker.device.life.addAction(() => this.fini());
  }

  /** The pagemap, in use or not. */
  get cached(): DrmPagemap | null {
    return this.dpagemap;
  }

  /** Keeps others from making a second pagemap between a look-up and {@link unlockLookup}. Waits. @kernel drm_pagemap_cache_lock_lookup */
  lockLookup(): Steps<void> {
    return this.lookupMutex.lock();
  }

  /** Lets the next one look up. @kernel drm_pagemap_cache_unlock_lookup */
  unlockLookup(): void {
    this.lookupMutex.unlock();
  }

  get isLocked(): boolean {
    return this.lookupMutex.isLocked;
  }

  /**
   * With a reference: the pagemap that is in use, or the unused one, which comes back to life. Null: there is none, and the caller makes one
   * and calls {@link setPagemap}. Error: -ENOMEM. The lookup lock is held. @kernel drm_pagemap_get_from_cache
   */
  *getFromCache(): Steps<DrmPagemap | Errno | null> {
    this.lookupMutex.assertHeld();
    for (;;) {
      const { dpagemap } = this;
      if (dpagemap === null) return null;
      const active = dpagemap.getUnlessZero();
      if (active !== null) return active;
      if (this.queued.isDone) return this.revive(dpagemap);
      yield* this.queued.wait();
    }
  }

  /** Null: the shrinker was faster. */
  revive(dpagemap: DrmPagemap): DrmPagemap | Errno | null {
    const isMine = this.shrinker.cancel(dpagemap);
    this.dpagemap = null;
    if (!isMine) return null;
    const errno = dpagemap.reinit();
    if (errno !== Errno.OK) {
      dpagemap.destroy(false);
      return errno;
    }
    this.setPagemap(dpagemap);
    return dpagemap;
  }

  /** Only after {@link getFromCache} has returned null, under the same lock. @kernel drm_pagemap_cache_set_pagemap */
  setPagemap(dpagemap: DrmPagemap): void {
    this.lookupMutex.assertHeld();
    assert(this.dpagemap === null, 'a pagemap is cached already');
    dpagemap.cache = this;
    this.dpagemap = dpagemap;
    this.queued = this.newQueued();
  }

  /** With a reference, if it is in use. No lock needed. @kernel drm_pagemap_get_from_cache_if_active */
  getIfActive(): DrmPagemap | null {
    return this.dpagemap?.getUnlessZero() ?? null;
  }

  /** Nobody uses the pagemap any more. Never sleeps. */
  deactivate(dpagemap: DrmPagemap): void {
    this.shrinker.add(dpagemap);
    this.queued.completeAll();
  }

  /** The shrinker frees it. */
  forget(dpagemap: DrmPagemap): void {
    if (this.dpagemap === dpagemap) this.dpagemap = null;
  }

  /** The device goes: what nobody uses is freed; what is in use is freed later, by who uses it last. @kernel drm_pagemap_cache_fini */
  fini(): void {
    assert(!this.isGone, 'a pagemap cache goes twice');
    this.isGone = true;
    const { dpagemap } = this;
    this.dpagemap = null;
    if (dpagemap !== null && this.shrinker.cancel(dpagemap)) dpagemap.destroy(false);
  }

  /** A new one each time: who waited for the last one has been woken. @kernel reinit_completion */
  private newQueued(): Completion {
    return new Completion(this.sched, 'a pagemap that goes out of use');
  }
}
