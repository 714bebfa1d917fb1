/** One mapping in a GPU's address space: a span of addresses, and the part of a buffer object behind it. */

import { assert } from '../../base/assert.js';
import type { IntervalNode } from '../../base/intervalTree.js';
import type { GemObject } from './gemObject.js';
import type { GpuVm } from './gpuVm.js';
import type { GpuVmBo } from './gpuVmBo.js';

/** Bits of a mapping. @kernel drm_gpuva_flags */
export const GpuVaFlag = {
  /** The object was moved: its page-table entries must be written anew. @kernel DRM_GPUVA_INVALIDATED */
  Invalidated: 1,
  /** A mapping without memory behind it, and none to come. @kernel DRM_GPUVA_SPARSE */
  Sparse: 2,
  /** This bit and those above are the driver's. @kernel DRM_GPUVA_USERBITS */
  UserBits: 4,
} as const;

/** Where a mapping is to be, and what is behind it; all in pages. @kernel drm_gpuva_op_map */
export interface GpuVaPlace {
  /** The first page. @kernel drm_gpuva_op_map.va.addr */
  readonly start: number;
  /** One past the last page. @kernel drm_gpuva_op_map.va.range */
  readonly end: number;
  /** Null where nothing but the driver knows what is behind: user pages, a mirror of the CPU's addresses. @kernel drm_gpuva_op_map.gem.obj */
  readonly obj: GemObject | null;
  /** Of the first page within the object; without one, whatever the driver counts from. @kernel drm_gpuva_op_map.gem.offset */
  readonly offset: number;
}

/** Drivers extend it. The VM's lock guards it. @kernel drm_gpuva */
export class GpuVa implements GpuVaPlace {
  /** The first page. @kernel drm_gpuva.va.addr */
  readonly start: number;
  /** One past the last page. @kernel drm_gpuva.va.range */
  readonly end: number;
  /** Null where nothing but the driver knows what is behind. @kernel drm_gpuva.gem.obj */
  readonly obj: GemObject | null;
  /** Of the first page within the object. @kernel drm_gpuva.gem.offset */
  readonly offset: number;
  /** Of {@link GpuVaFlag}. @kernel drm_gpuva.flags */
  flags = 0;
  /** The VM that it is inserted in. @kernel drm_gpuva.vm */
  vm: GpuVm | null = null;
  /** Set while it is linked to its object's list. */
  vmBo: GpuVmBo | null = null;
  /** Its place in the tree of the VM; null while it is in none. @internal @kernel drm_gpuva.rb */
  node: IntervalNode<GpuVa> | null = null;

  /** In no VM yet, and linked to no object. @kernel drm_gpuva_init, drm_gpuva_init_from_op */
  constructor(place: GpuVaPlace) {
    assert(place.end > place.start, 'a GPU mapping without pages');
    assert(place.obj === null || place.offset >= 0, 'a GPU mapping begins before its object');
    assert(
      place.obj === null || place.offset + (place.end - place.start) <= place.obj.npages,
      'a GPU mapping reaches beyond its object',
    );
    this.start = place.start;
    this.end = place.end;
    this.obj = place.obj;
    this.offset = place.offset;
  }

  get npages(): number {
    return this.end - this.start;
  }

  /** Accesses find no memory there, and no fault either: reads give zero. Never of an object. */
  get isSparse(): boolean {
    return (this.flags & GpuVaFlag.Sparse) !== 0;
  }

  /** Whether its page-table entries must be written anew. @kernel drm_gpuva_invalidated */
  get isInvalidated(): boolean {
    return (this.flags & GpuVaFlag.Invalidated) !== 0;
  }

  /** Says that they must, or that they have been. @kernel drm_gpuva_invalidate */
  setInvalidated(invalidated: boolean): void {
    this.flags = invalidated ? this.flags | GpuVaFlag.Invalidated : this.flags & ~GpuVaFlag.Invalidated;
  }
}
