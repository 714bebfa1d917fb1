/** A device-memory allocation that backs migrated pages, and the data that its pages point to. */

import { assert } from '../../base/assert.js';
import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { PageArrayId } from '../../memory/pageArrays.js';
import type { Mm } from '../../mm/process/mm.js';
import type { Scheduler } from '../../sim/scheduler.js';
import type { Steps } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { DmaFence } from '../dmaFence.js';
import { Detached } from './detached.js';
import type { DrmPagemap } from './drmPagemap.js';

/** What a driver must be able to do before pages can move to its memory. */
export interface MigrationOps {
  /** Writes the allocation's pfns, one per page, raw. @kernel populate_devmem_pfn */
  populateDevmemPfn(devmem: Devmem, npages: number, pfns: Uint32Array): Errno;
  /**
   * Copies page i from `src[i]` to `dst[i]`, DMA addresses as this device sees them; source 0 means zeros, destination 0 nothing. Not before
   * the fence, if there is one, is signalled. @kernel copy_to_devmem
   */
  copyToDevmem(
    devmem: Devmem,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
    preMigrateFence: DmaFence | null,
  ): Steps<Errno>;
  /** The same from this device's memory to RAM or to a peer, whose fence it is. @kernel copy_to_ram */
  copyToRam(
    devmem: Devmem,
    src: PageArrayId,
    dst: PageArrayId,
    npages: number,
    preMigrateFence: DmaFence | null,
  ): Steps<Errno>;
}

/** What a driver does for an allocation of its memory. @kernel drm_pagemap_devmem_ops */
export interface DevmemOps extends Partial<MigrationOps> {
  /** The memory may be reused. Called once, when the last page and the last migration have let go. @kernel devmem_release */
  devmemRelease?(devmem: Devmem): void;
  /** How many pages around one come home for a CPU fault on it: a power of two, at most the allocation's. */
  pagesPerCpuFault(devmem: Devmem, mm: Mm, page: Vpn): number;
}

function canMigrate(ops: DevmemOps): ops is DevmemOps & MigrationOps {
  const { populateDevmemPfn, copyToDevmem, copyToRam } = ops;
  return populateDevmemPfn !== undefined && copyToDevmem !== undefined && copyToRam !== undefined;
}

/** Memory of a device that migrated pages live in, as long as one of them does. @kernel drm_pagemap_devmem */
export class Devmem {
  /** Completes when no page of the allocation is in use. @kernel detached */
  readonly detached: Detached;
  /** Tasks with references of their own to the data of its pages: for as long as they have them nothing is detached. */
  readonly users: Task[] = [];
  /** Until then a CPU fault leaves the pages where they are; on the executor's clock. @kernel timeslice_expiration */
  timesliceExpirationNs = 0;
  /** Set once {@link DevmemOps.devmemRelease} ran. */
  released = false;
  /** Null: the driver cannot have pages migrated. */
  readonly migrationOps: MigrationOps | null;

  /** Nobody uses it yet; the driver has it until pages do. @kernel drm_pagemap_devmem_init */
  constructor(
    sched: Scheduler,
    readonly dpagemap: DrmPagemap,
    readonly mm: Mm,
    readonly ops: DevmemOps,
    /** Size in pages. @kernel drm_pagemap_devmem.size */
    readonly npages: number,
    /** The driver's handle for the memory. */
    readonly allocation: number,
    /** Earlier work on the memory, for which the first copy to it must wait; null when there is none, and after that copy. @kernel pre_migrate_fence */
    public preMigrateFence: DmaFence | null = null,
  ) {
    this.migrationOps = canMigrate(ops) ? ops : null;
    const name = `detach of allocation ${allocation} of device ${dpagemap.device.index}`;
    this.detached = new Detached(sched, name, this.users);
  }

  /** Of memory that has pages: they could not have come without. */
  get copyOps(): MigrationOps {
    assert(this.migrationOps !== null, 'pages in memory that none can migrate to');
    return this.migrationOps;
  }
}

/**
 * What `zone_device_data` of a device page points to: one reference per device folio, and one of the migration in flight.
 * @kernel drm_pagemap_zdd
 */
export class Zdd {
  refs = 1;
  /** Set before any page refers to this; owns the driver's reference from then on. @kernel drm_pagemap_zdd.devmem_allocation */
  devmem: Devmem | null = null;

  constructor(
    readonly id: number,
    readonly dpagemap: DrmPagemap,
  ) {
    dpagemap.get();
  }
}

/** All zone device data by number: folio metadata holds the number. */
export class ZddTable {
  private readonly byId = new Map<number, Zdd>();
  private nextId = 1;

  get live(): number {
    return this.byId.size;
  }

  /** With one reference. @kernel drm_pagemap_zdd_alloc */
  create(dpagemap: DrmPagemap): Zdd {
    const zdd = new Zdd(this.nextId++, dpagemap);
    this.byId.set(zdd.id, zdd);
    return zdd;
  }

  get(id: number): Zdd {
    const zdd = this.byId.get(id);
    assert(zdd !== undefined, () => `zone device data ${id} does not exist`);
    return zdd;
  }

  find(id: number): Zdd | null {
    return this.byId.get(id) ?? null;
  }

  [Symbol.iterator](): IterableIterator<Zdd> {
    return this.byId.values();
  }

  /** One more folio refers to it, or a task that uses it. @kernel drm_pagemap_zdd_get */
  take(zdd: Zdd, references = 1): Zdd {
    assert(zdd.refs > 0, () => `zone device data ${zdd.id} is gone`);
    zdd.refs += references;
    return zdd;
  }

  /** A reference for a task, which has the allocation in use until it calls {@link letGo}. @kernel drm_pagemap_zdd_get */
  hold(zdd: Zdd, task: Task): void {
    this.take(zdd);
    zdd.devmem?.users.push(task);
  }

  /** Gives back what {@link hold} took, or what came with the data. Never sleeps. */
  letGo(zdd: Zdd, task: Task): void {
    const users = zdd.devmem?.users ?? [];
    const at = users.indexOf(task);
    if (at >= 0) users.splice(at, 1);
    this.put(zdd);
  }

  /** Never sleeps: the last folio may go under the page-table lock. @kernel drm_pagemap_zdd_put, drm_pagemap_zdd_destroy */
  put(zdd: Zdd): void {
    assert(zdd.refs > 0, () => `zone device data ${zdd.id} is put once too often`);
    zdd.refs--;
    if (zdd.refs > 0) return;
    this.byId.delete(zdd.id);
    if (zdd.devmem !== null) releaseDevmem(zdd.devmem);
    zdd.dpagemap.put();
  }
}

/** No page is left: tells the waiting eviction, then gives the memory back. */
export function releaseDevmem(devmem: Devmem): void {
  assert(!devmem.released, 'device memory is released twice');
  devmem.released = true;
  devmem.detached.completeAll();
  devmem.ops.devmemRelease?.(devmem);
}
