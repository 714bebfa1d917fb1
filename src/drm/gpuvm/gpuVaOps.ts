/** The steps into which a request to map or unmap GPU addresses falls, given the mappings that are there. */

import type { GpuVa, GpuVaPlace } from './gpuVa.js';

/** @kernel drm_gpuva_op_map */
export interface GpuVaMapOp {
  /** @kernel DRM_GPUVA_OP_MAP */
  readonly op: 'map';
  readonly place: GpuVaPlace;
  /** Where a mapping is only split, so that its middle can get other attributes: that mapping. */
  readonly from: GpuVa | null;
}

/** What goes. @kernel drm_gpuva_op_unmap */
export interface GpuVaUnmap {
  /** @kernel drm_gpuva_op_unmap.va */
  readonly va: GpuVa;
  /** The new mapping continues the old one physically: its page-table entries may stay where both have them. @kernel drm_gpuva_op_unmap.keep */
  readonly keep: boolean;
}

/** @kernel drm_gpuva_op_unmap */
export interface GpuVaUnmapOp extends GpuVaUnmap {
  /** @kernel DRM_GPUVA_OP_UNMAP */
  readonly op: 'unmap';
}

/** A mapping goes but for its head, its tail, or both. @kernel drm_gpuva_op_remap */
export interface GpuVaRemapOp {
  /** @kernel DRM_GPUVA_OP_REMAP */
  readonly op: 'remap';
  /** @kernel drm_gpuva_op_remap.prev */
  readonly prev: GpuVaPlace | null;
  /** @kernel drm_gpuva_op_remap.next */
  readonly next: GpuVaPlace | null;
  /** @kernel drm_gpuva_op_remap.unmap */
  readonly unmap: GpuVaUnmap;
}

/** @kernel drm_gpuva_op_prefetch */
export interface GpuVaPrefetchOp {
  /** @kernel DRM_GPUVA_OP_PREFETCH */
  readonly op: 'prefetch';
  /** @kernel drm_gpuva_op_prefetch.va */
  readonly va: GpuVa;
}

/** @kernel drm_gpuva_op, drm_gpuva_op_type */
export type GpuVaOp = GpuVaMapOp | GpuVaUnmapOp | GpuVaRemapOp | GpuVaPrefetchOp;
