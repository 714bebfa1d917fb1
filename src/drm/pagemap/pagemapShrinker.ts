/** Pagemaps that nobody uses, in the order in which they became so: what a device gives back when memory is short. */

import { assert } from '../../base/assert.js';
import type { DrmDevice } from '../drmDevice.js';
import type { DrmPagemap } from './drmPagemap.js';

/** What {@link DrmPagemapShrinker.count} says of an empty list. @kernel SHRINK_EMPTY */
export const SHRINK_EMPTY = -2;

/** What {@link DrmPagemapShrinker.scan} says when there was nothing to free. @kernel SHRINK_STOP */
export const SHRINK_STOP = -1;

/** One per device; it goes with it. @kernel drm_pagemap_shrinker */
export class DrmPagemapShrinker {
  private readonly dpagemaps = new Set<DrmPagemap>();

  /** One for each device, with which it goes. @kernel drm_pagemap_shrinker_create_devm */
  constructor(readonly device: DrmDevice) {
    device.life.addAction(() => this.fini());
  }

  /** Pagemaps that nobody uses. @kernel drm_pagemap_shrinker.num_dpagemaps */
  get unused(): number {
    return this.dpagemaps.size;
  }

  has(dpagemap: DrmPagemap): boolean {
    return this.dpagemaps.has(dpagemap);
  }

  add(dpagemap: DrmPagemap): void {
    assert(dpagemap.references === 0, 'a pagemap in use is offered to the shrinker');
    this.dpagemaps.add(dpagemap);
  }

  /** Takes it off the list, so that it is not freed; false: it is being freed already. @kernel drm_pagemap_shrinker_cancel */
  cancel(dpagemap: DrmPagemap): boolean {
    return this.dpagemaps.delete(dpagemap);
  }

  /** Pagemaps that could be freed; {@link SHRINK_EMPTY} for none. @kernel drm_pagemap_shrinker_count */
  count(): number {
    return this.dpagemaps.size === 0 ? SHRINK_EMPTY : this.dpagemaps.size;
  }

  /** Destroys up to `nrToScan` of them, but at least one, the first that became unused first; returns how many. @kernel drm_pagemap_shrinker_scan */
  scan(nrToScan: number): number {
    let freed = 0;
    for (const dpagemap of this.dpagemaps) {
      this.dpagemaps.delete(dpagemap);
      dpagemap.cache?.forget(dpagemap);
      dpagemap.destroy(true);
      freed++;
      if (freed >= nrToScan) break;
    }
    return freed === 0 ? SHRINK_STOP : freed;
  }

  /** The caches of the device are gone, and with them all that was here. @kernel drm_pagemap_shrinker_fini */
  fini(): void {
    assert(this.dpagemaps.size === 0, () => `${this.dpagemaps.size} unused pagemaps outlive the shrinker`);
  }
}
