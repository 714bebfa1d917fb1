/** What a driver gives its GPU VM: the steps of split and merge, and hooks for what the VM makes and frees. */

import type { Errno } from '../../base/errno.js';
import type { Steps } from '../../sim/steps.js';
import type { DrmExec } from '../exec/drmExec.js';
import type { GemObject } from './gemObject.js';
import type { GpuVaMapOp, GpuVaRemapOp, GpuVaUnmapOp } from './gpuVaOps.js';
import type { GpuVm } from './gpuVm.js';
import type { GpuVmBo } from './gpuVmBo.js';

/** Bits that a VM is made with. @kernel drm_gpuvm_flags, drm_gpuva_manager_flags */
export const GpuVmFlag = {
  /** The VM's reservation guards its lists, instead of a lock of their own. @kernel DRM_GPUVM_RESV_PROTECTED */
  ResvProtected: 1,
  /** Mappings change while a fence is awaited: nothing is allocated there, and the objects' list locks are taken. @kernel DRM_GPUVM_IMMEDIATE_MODE, DRM_GPUVA_MANAGER_LOCK_EXTERN */
  ImmediateMode: 2,
  /** This bit and those above are the driver's. @kernel DRM_GPUVM_USERBITS */
  UserBits: 4,
} as const;

/** What is allocated for a list of steps: the list, one step, or one of the parts of a remap. */
export type OpMemoryKind = 'list' | 'op' | 'unmap' | 'prev' | 'next';

/** Told of each step in order; a step may change the VM at once. Anything but OK ends the request. */
export interface GpuVaSteps {
  /** Something is mapped. @kernel sm_step_map */
  smStepMap(op: GpuVaMapOp): Errno;
  /** A mapping loses its middle, its head or its tail. @kernel sm_step_remap */
  smStepRemap(op: GpuVaRemapOp): Errno;
  /** A mapping goes. @kernel sm_step_unmap */
  smStepUnmap(op: GpuVaUnmapOp): Errno;
}

/** All of it optional. @kernel drm_gpuvm_ops, drm_gpuva_fn_ops */
export interface GpuVmOps {
  /** The last reference is gone. @kernel vm_free */
  vmFree?(vm: GpuVm): void;
  /** Null: no memory. @kernel vm_bo_alloc */
  vmBoAlloc?(vm: GpuVm, obj: GemObject): GpuVmBo | null;
  /** What {@link vmBoAlloc} made is not used any more. @kernel vm_bo_free */
  vmBoFree?(vmBo: GpuVmBo): void;
  /** Brings an evicted object's memory back; its reservation is held. Must say so with `setEvicted(vmBo, false)`. @kernel vm_bo_validate */
  vmBoValidate?(vmBo: GpuVmBo, exec: DrmExec): Steps<Errno>;
  /** Whether there is memory. Steps are `'op'`. @kernel op_alloc */
  opAlloc?(kind: OpMemoryKind): boolean;
  /** Once for each that was there. @kernel op_free */
  opFree?(kind: OpMemoryKind): void;
  readonly steps?: GpuVaSteps;
}
