/** The steps into which a request to map or unmap GPU addresses falls, given the mappings that are there. */

import type { GpuVa, GpuVaPlace } from './gpuVa.js';

/** The new mapping; the last step of a request to map. @kernel drm_gpuva_op_map */
export interface GpuVaMapOp {
  /** Says which step it is. @kernel DRM_GPUVA_OP_MAP */
  readonly op: 'map';
  readonly place: GpuVaPlace;
  /** Where a mapping is only split, so that its middle can get other attributes: that mapping. */
  readonly from: GpuVa | null;
}

/** What goes. @kernel drm_gpuva_op_unmap */
export interface GpuVaUnmap {
  /** The mapping that goes. @kernel drm_gpuva_op_unmap.va */
  readonly va: GpuVa;
  /** The new mapping continues the old one physically: its page-table entries may stay where both have them. @kernel drm_gpuva_op_unmap.keep */
  readonly keep: boolean;
}

/** A mapping goes wholly. @kernel drm_gpuva_op_unmap */
export interface GpuVaUnmapOp extends GpuVaUnmap {
  /** Says which step it is. @kernel DRM_GPUVA_OP_UNMAP */
  readonly op: 'unmap';
}

/** A mapping goes but for its head, its tail, or both. @kernel drm_gpuva_op_remap */
export interface GpuVaRemapOp {
  /** Says which step it is. @kernel DRM_GPUVA_OP_REMAP */
  readonly op: 'remap';
  /** What stays below the request; null for nothing. @kernel drm_gpuva_op_remap.prev */
  readonly prev: GpuVaPlace | null;
  /** What stays above the request; null for nothing. @kernel drm_gpuva_op_remap.next */
  readonly next: GpuVaPlace | null;
  /** The mapping that the parts are of. @kernel drm_gpuva_op_remap.unmap */
  readonly unmap: GpuVaUnmap;
}

/** A mapping that is to be made usable. @kernel drm_gpuva_op_prefetch */
export interface GpuVaPrefetchOp {
  /** Says which step it is. @kernel DRM_GPUVA_OP_PREFETCH */
  readonly op: 'prefetch';
  /** The mapping that is asked for. @kernel drm_gpuva_op_prefetch.va */
  readonly va: GpuVa;
}

/** Any step; `op` tells them apart. @kernel drm_gpuva_op, drm_gpuva_op_type */
export type GpuVaOp = GpuVaMapOp | GpuVaUnmapOp | GpuVaRemapOp | GpuVaPrefetchOp;
