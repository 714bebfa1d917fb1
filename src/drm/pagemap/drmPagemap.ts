/** A device's memory as others may use it: who owns it, who refers to it, how to reach its pages, and how to bring pages there. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { DmaAddr, DmaDir } from '../../memory/dmaAddr.js';
import type { Pfn } from '../../memory/pfn.js';
import type { DevPagemap } from '../../mm/migrate/devPagemap.js';
import type { Mm } from '../../mm/process/mm.js';
import { PARK, type Steps } from '../../sim/steps.js';
import type { DrmDevice } from '../drmDevice.js';
import type { DrmPagemapCache } from './pagemapCache.js';
import type { PagemapHold, PagemapUnhold } from './pagemapHold.js';

/** What a driver does for those who use its memory. @kernel drm_pagemap_ops */
export interface DrmPagemapOps {
  /** The address at which `device` reaches a page of this memory. Never sleeps. @kernel device_map */
  deviceMap(dpagemap: DrmPagemap, device: DrmDevice, pfn: Pfn, order: number, dir: DmaDir): DmaAddr | Errno;
  /** Undoes what {@link deviceMap} did, if anything. @kernel device_unmap */
  deviceUnmap(dpagemap: DrmPagemap, device: DrmDevice, addr: DmaAddr): void;
  /**
   * Allocates device memory for the span and migrates it there; best effort. mmap_lock is held for read, and the caller is a user of the
   * address space. Error: -ENODEV once the device is unplugged. @kernel populate_mm
   */
  populateMm(dpagemap: DrmPagemap, mm: Mm, start: Vpn, end: Vpn, timesliceNs: number): Steps<Errno>;
  /** The pagemap is not needed any more. What may sleep must be deferred where the caller may not. @kernel destroy */
  destroy?(dpagemap: DrmPagemap, isAtomicOrReclaim: boolean): void;
}

/** Counted by all who use the memory; what becomes of one without references, {@link cache} says. @kernel drm_pagemap */
export class DrmPagemap {
  /** Where it goes when nobody refers to it any more; null: it is destroyed. @kernel drm_pagemap.cache */
  cache: DrmPagemapCache | null = null;
  /** Keeps device and module as long as anybody refers to the pagemap. @kernel drm_pagemap.dev_hold */
  hold: PagemapHold | null = null;
  /** Set when {@link destroy} has run. */
  destroyed = false;
  private refs = 0;

  /** Not usable before {@link reinit} has given it its first reference. @kernel drm_pagemap_init */
  constructor(
    /** The device that the memory belongs to. @kernel drm_pagemap.drm */
    readonly device: DrmDevice,
    readonly pagemap: DevPagemap,
    readonly ops: DrmPagemapOps,
    private readonly unhold: PagemapUnhold,
  ) {}

  /** With the caller's reference, or -ENOMEM. @kernel drm_pagemap_init */
  static create(
    device: DrmDevice,
    pagemap: DevPagemap,
    ops: DrmPagemapOps,
    unhold: PagemapUnhold,
  ): DrmPagemap | Errno {
    const dpagemap = new DrmPagemap(device, pagemap, ops, unhold);
    const errno = dpagemap.reinit();
    return errno === Errno.OK ? dpagemap : errno;
  }

  get references(): number {
    return this.refs;
  }

  /** Gives one that nobody refers to its first reference, the caller's. Error: -ENOMEM. @kernel drm_pagemap_reinit */
  reinit(): Errno {
    assert(this.refs === 0 && this.hold === null && !this.destroyed, 'a pagemap in use is initialised');
    this.hold = this.unhold.hold(this.device);
    if (this.hold === null) return Errno.ENOMEM;
    this.refs = 1;
    return Errno.OK;
  }

  /** One more reference; the pagemap must be in use. @kernel drm_pagemap_get */
  get(): this {
    assert(this.refs > 0, 'pagemap is gone');
    this.refs++;
    return this;
  }

  /** For those who find it without a reference, in a cache for example. @kernel drm_pagemap_get_unless_zero */
  getUnlessZero(): this | null {
    return this.refs === 0 ? null : this.get();
  }

  /** Never sleeps, and takes no lock that its callers could hold. @kernel drm_pagemap_put, drm_pagemap_shrinker_might_lock */
  put(): void {
    assert(this.refs > 0, 'pagemap is put once too often');
    this.refs--;
    if (this.refs === 0) this.release();
  }

  /**
   * Nobody refers to it: it waits in its cache for somebody who does, or is destroyed. The device is let go of last, and later: until then it
   * is alive. @kernel drm_pagemap_release
   */
  release(): void {
    const { hold } = this;
    assert(hold !== null, 'a pagemap in use holds no device');
    this.hold = null;
    this.addToShrinker();
    this.unhold.add(hold);
  }

  /** Only while the device is there: cache and shrinker go with it. @kernel drm_pagemap_shrinker_add */
  addToShrinker(): void {
    const { life } = this.device;
    if (!life.enter()) {
      this.destroy(true);
      return;
    }
    if (this.cache === null) this.destroy(true);
    else this.cache.deactivate(this);
    life.exit();
  }

  /** Tells the driver that nobody will use it again; once. @kernel drm_pagemap_destroy */
  destroy(isAtomicOrReclaim: boolean): void {
    assert(this.refs === 0 && !this.destroyed, 'a pagemap is destroyed while it is in use, or twice');
    this.destroyed = true;
    this.ops.destroy?.(this, isAtomicOrReclaim);
  }

  /**
   * Brings a span of an address space to this memory, as far as possible. Errors: -EFAULT (the address space is going), -ENODEV (the device
   * is), and what the driver reports. @kernel drm_pagemap_populate_mm
   */
  *populateMm(mm: Mm, start: Vpn, end: Vpn, timesliceNs: number): Steps<Errno> {
    if (!mm.getNotZero()) return Errno.EFAULT;
    if (!mm.mmapLock.beginRead()) yield PARK;
    const errno = yield* this.ops.populateMm(this, mm, start, end, timesliceNs);
    mm.mmapLock.readUnlock();
    mm.put();
    return errno;
  }
}
