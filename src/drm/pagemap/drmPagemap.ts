/** A device's memory as others may use it: who owns it, how to reach its pages, and how to bring pages there. */

import { assert } from '../../base/assert.js';
import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { DmaAddr, DmaDir } from '../../memory/dmaAddr.js';
import type { Pfn } from '../../memory/pfn.js';
import type { DevPagemap } from '../../mm/migrate/devPagemap.js';
import type { Mm } from '../../mm/process/mm.js';
import type { Steps } from '../../sim/steps.js';
import type { DrmDevice } from '../drmDevice.js';

/** @kernel drm_pagemap_ops */
export interface DrmPagemapOps {
  /** The address at which `device` reaches a page of this memory. Never sleeps. @kernel device_map */
  deviceMap(dpagemap: DrmPagemap, device: DrmDevice, pfn: Pfn, order: number, dir: DmaDir): DmaAddr | Errno;
  /** Undoes what {@link deviceMap} did, if anything. @kernel device_unmap */
  deviceUnmap(dpagemap: DrmPagemap, device: DrmDevice, addr: DmaAddr): void;
  /** Allocates device memory for the span and migrates it there; mmap_lock is held for read. @kernel populate_mm */
  populateMm(dpagemap: DrmPagemap, mm: Mm, start: Vpn, end: Vpn, timesliceNs: number): Steps<Errno>;
}

/** @kernel drm_pagemap */
export class DrmPagemap {
  private refs = 1;

  constructor(
    /** The device that the memory belongs to. */
    readonly device: DrmDevice,
    readonly pagemap: DevPagemap,
    readonly ops: DrmPagemapOps,
  ) {}

  get references(): number {
    return this.refs;
  }

  /** @kernel drm_pagemap_get */
  get(): this {
    assert(this.refs > 0, 'pagemap is gone');
    this.refs++;
    return this;
  }

  /** @kernel drm_pagemap_put */
  put(): void {
    assert(this.refs > 0, 'pagemap is put once too often');
    this.refs--;
  }
}
