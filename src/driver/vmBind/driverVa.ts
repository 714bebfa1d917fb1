/** The driver's GPU mapping: of a buffer object, of pages of the process, or a mirror of the CPU's addresses. */

import { GpuVa, type GpuVaPlace } from '../../drm/gpuvm/gpuVa.js';
import type { Userptr } from './userptr.js';
import { VramBo } from './vramBo.js';

/** What a request maps. */
export type VaKind = 'bo' | 'userptr' | 'mirror';

/** The vm lock guards it; what of it faults change, the notifier lock. @kernel xe_vma */
export class DriverVa extends GpuVa {
  /** The device's page table has entries for all of it. @kernel tile_present */
  bound = false;

  constructor(
    place: GpuVaPlace,
    readonly kind: VaKind,
    /** Of a mapping of the process's pages; its offset is then their first page. */
    readonly userptr: Userptr | null,
  ) {
    super(place);
  }

  /** The buffer object; null for the other kinds. */
  get bo(): VramBo | null {
    return this.obj instanceof VramBo ? this.obj : null;
  }
}
