/** The driver's GPU mapping: of a buffer object, of pages of the process, a mirror of the CPU's addresses, or of no memory at all. */

import { assert } from '../../base/assert.js';
import type { Vpn } from '../../base/units.js';
import { GpuVa, GpuVaFlag, type GpuVaPlace } from '../../drm/gpuvm/gpuVa.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { Userptr } from './userptr.js';
import { VramBo } from './vramBo.js';

/** The device's address space that a mapping is in. */
export interface VaHome {
  readonly gpu: GpuHandle;
  /** A page of it as the device knows it. */
  tagged(page: number): Vpn;
}

/** What a request maps. */
export type VaKind = 'bo' | 'userptr' | 'mirror' | 'sparse';

/** The vm lock guards it; what of it faults change, the notifier lock, and of an object its reservation. @kernel xe_vma */
export class DriverVa extends GpuVa {
  /** The device's page table has entries for all of it. @kernel tile_present */
  bound = false;

  constructor(
    place: GpuVaPlace,
    readonly kind: VaKind,
    /** Of a mapping of the process's pages; its offset is then their first page. */
    readonly userptr: Userptr | null,
    readonly home: VaHome,
  ) {
    super(place);
    if (kind === 'sparse') this.flags |= GpuVaFlag.Sparse;
  }

  /** Its entries follow from the mapping alone, so that a part of it can lose them and the rest keep them. */
  get hasFixedEntries(): boolean {
    return this.kind === 'bo' || this.kind === 'sparse';
  }

  /** The buffer object; null for the other kinds. */
  get bo(): VramBo | null {
    return this.obj instanceof VramBo ? this.obj : null;
  }
}

/** Every mapping of this driver's VMs was made here. */
export function own(va: GpuVa): DriverVa {
  assert(va instanceof DriverVa, 'a mapping of another driver');
  return va;
}
