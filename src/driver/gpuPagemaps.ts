/** The driver's pagemaps: makes them, groups those that are linked under one owner, remembers the unused, and removes them. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { DrmDevice } from '../drm/drmDevice.js';
import { DrmPagemap, type DrmPagemapOps } from '../drm/pagemap/drmPagemap.js';
import { DrmPagemapCache } from '../drm/pagemap/pagemapCache.js';
import type { PagemapUnhold } from '../drm/pagemap/pagemapHold.js';
import type { PagemapMigrate } from '../drm/pagemap/pagemapMigrate.js';
import { DrmPagemapOwnerList, DrmPagemapPeer, type HasInterconnect } from '../drm/pagemap/pagemapOwner.js';
import { DrmPagemapShrinker } from '../drm/pagemap/pagemapShrinker.js';
import type { Kernel } from '../mm/kernel.js';
import type { DevPagemap } from '../mm/migrate/devPagemap.js';
import type { Steps } from '../sim/steps.js';
import type { GpuHandle } from './gpuHandle.js';

/** What the driver keeps for each device as long as it is bound to it. @kernel xe_vram_region */
interface Region {
  readonly shrinker: DrmPagemapShrinker;
  readonly cache: DrmPagemapCache;
  readonly peer: DrmPagemapPeer<GpuHandle>;
}

export class GpuPagemaps {
  /** One for all devices of the driver. @kernel xe_owner_list */
  readonly owners = new DrmPagemapOwnerList<GpuHandle>();
  private readonly regions = new Map<DrmDevice, Region>();

  constructor(
    private readonly kernel: Kernel,
    private readonly migrate: PagemapMigrate,
    private readonly ops: DrmPagemapOps,
    private readonly hasInterconnect: HasInterconnect<GpuHandle>,
    readonly unhold: PagemapUnhold,
  ) {}

  /** The driver binds to the device and keeps a pagemap of its memory until it lets go of it. @kernel xe_pagemap_shrinker_create, xe_pagemap_cache_create */
  probe(gpu: GpuHandle): void {
    const peer = new DrmPagemapPeer(gpu);
    const dpagemap = this.create(gpu, peer);
    assert(typeof dpagemap !== 'number', 'no memory for the pagemap of a device');
    const shrinker = new DrmPagemapShrinker(gpu);
    const cache = new DrmPagemapCache(this.kernel.sched, shrinker, dpagemap);
    this.regions.set(gpu, { shrinker, cache, peer });
    gpu.dpagemap = dpagemap;
  }

  /** With a reference. Errors: -ENOMEM, -ENODEV once the device is unplugged. @kernel xe_pagemap_find_or_create, xe_drm_pagemap_from_fd */
  *findOrCreate(gpu: GpuHandle): Steps<DrmPagemap | Errno> {
    const region = this.regions.get(gpu);
    if (region === undefined || !gpu.life.enter()) return Errno.ENODEV;
    const { cache, peer } = region;
    yield* cache.lockLookup();
    let result = yield* cache.getFromCache();
    if (result === null) {
      result = this.create(gpu, peer);
      if (typeof result !== 'number') cache.setPagemap(result);
    }
    cache.unlockLookup();
    gpu.life.exit();
    return result;
  }

  /** With a reference, or -ENOMEM. @kernel xe_pagemap_create */
  create(gpu: GpuHandle, peer: DrmPagemapPeer<GpuHandle>): DrmPagemap | Errno {
    const errno = this.owners.acquire(peer, this.hasInterconnect);
    if (errno !== Errno.OK) return errno;
    const pagemap: DevPagemap = {
      zoneId: this.kernel.memory.layout.vramOf(gpu.index).id,
      owner: peer.token,
      ops: this.migrate.pagemapOps,
    };
    const dpagemap = DrmPagemap.create(gpu, pagemap, this.ops, this.unhold);
    if (typeof dpagemap === 'number') this.owners.release(peer);
    else this.kernel.addPagemap(pagemap);
    return dpagemap;
  }

  /** Its pages are all free. The owner group loses a member. @kernel xe_pagemap_destroy, xe_pagemap_destroy_work */
  destroy(dpagemap: DrmPagemap): void {
    const region = this.regions.get(dpagemap.device);
    assert(region !== undefined, 'a pagemap of another driver');
    this.kernel.removePagemap(dpagemap.pagemap);
    this.owners.release(region.peer);
  }

  /** Frees what nobody uses of the device's pagemaps; returns how many, or SHRINK_STOP. */
  shrink(gpu: GpuHandle, nrToScan: number): number {
    return this.regionOf(gpu).shrinker.scan(nrToScan);
  }

  /** Pagemaps of the device that nobody uses. */
  unused(gpu: GpuHandle): number {
    return this.regionOf(gpu).shrinker.unused;
  }

  private regionOf(gpu: GpuHandle): Region {
    const region = this.regions.get(gpu);
    assert(region !== undefined, () => `the driver is not bound to device ${gpu.index}`);
    return region;
  }
}
