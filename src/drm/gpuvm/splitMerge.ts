/** Split and merge: how a request falls into steps, one callback after another or as a list. */

import { Errno } from '../../base/errno.js';
import type { PageSpan } from './addressRange.js';
import type { GpuVa, GpuVaPlace } from './gpuVa.js';
import { type GpuVaOpList, OpMemory } from './gpuVaOpList.js';
import type { GpuVaOp, GpuVaRemapOp, GpuVaUnmapOp } from './gpuVaOps.js';
import type { GpuVm } from './gpuVm.js';
import type { GpuVmBo } from './gpuVmBo.js';

/** Told of each step in order; a step may change the VM at once. Anything but OK ends the request. */
export type GpuVaStep = (op: GpuVaOp) => Errno;

/** Changes nothing itself. A list must be done or given up before the next one is asked for. */
export class SplitMerge {
  readonly memory: OpMemory;

  constructor(private readonly vm: GpuVm) {
    this.memory = new OpMemory(vm.ops);
  }

  /**
   * Maps `request`, whatever is there, by the driver's callbacks. Errors: -EINVAL, not a range of the VM, or the driver has no callbacks; whatever a
   * step reports. @kernel drm_gpuvm_sm_map, drm_gpuva_sm_map
   */
  smMap(request: GpuVaPlace): Errno {
    return this.vm.ops.steps === undefined ? Errno.EINVAL : this.map(request, (op) => this.callDriver(op));
  }

  /** As {@link smMap}, with nothing in place of what goes. @kernel drm_gpuvm_sm_unmap, drm_gpuva_sm_unmap */
  smUnmap(start: number, end: number): Errno {
    return this.vm.ops.steps === undefined
      ? Errno.EINVAL
      : this.unmap(start, end, (op) => this.callDriver(op));
  }

  /** Each mapping in the way is unmapped, or remapped to what of it sticks out; one map step comes last. @kernel __drm_gpuvm_sm_map, op_map_cb */
  map(request: GpuVaPlace, step: GpuVaStep): Errno {
    const { vm } = this;
    if (!vm.rangeValid(request.start, request.end)) return Errno.EINVAL;
    for (const va of this.inTheWay(request)) {
      const errno = step(this.cutOut(va, request, this.continues(va, request)));
      if (errno !== Errno.OK) return errno;
    }
    return step({ op: 'map', place: request, from: null });
  }

  /** Each mapping in the span is unmapped, or remapped to what of it sticks out. Errors: -EINVAL, not a range of the VM; whatever a step reports. @kernel __drm_gpuvm_sm_unmap */
  unmap(start: number, end: number, step: GpuVaStep): Errno {
    const span = { start, end };
    if (!this.vm.rangeValid(start, end)) return Errno.EINVAL;
    for (const va of this.inTheWay(span)) {
      const errno = step(this.cutOut(va, span, false));
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /**
   * Splits mappings at both ends of the span, so that attributes can be given to the middle alone: those that lie inside stay, and those with
   * an object are left out. At most two remaps, each with its map.
   */
  madvise(start: number, end: number, step: GpuVaStep): Errno {
    const span = { start, end };
    if (!this.vm.rangeValid(start, end)) return Errno.EINVAL;
    for (const va of this.inTheWay(span)) {
      if (va.obj !== null) continue;
      const cut = this.cutOut(va, span, false);
      if (cut.op === 'unmap') continue;
      let errno = step(cut);
      if (errno === Errno.OK) errno = step({ op: 'map', place: middleOf(va, start, end), from: va });
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** Errors: as for all lists, -ENOMEM; -EINVAL. @kernel drm_gpuvm_sm_map_ops_create, drm_gpuva_sm_map_ops_create */
  smMapOpsCreate(request: GpuVaPlace): GpuVaOpList | Errno {
    return this.listOf((step) => this.map(request, step));
  }

  /** The steps that unmap a span. Errors: -ENOMEM; -EINVAL. @kernel drm_gpuvm_sm_unmap_ops_create, drm_gpuva_sm_unmap_ops_create */
  smUnmapOpsCreate(start: number, end: number): GpuVaOpList | Errno {
    return this.listOf((step) => this.unmap(start, end, step));
  }

  /** The steps that split mappings at the ends of a span. Errors: -ENOMEM; -EINVAL. @kernel drm_gpuvm_madvise_ops_create */
  madviseOpsCreate(start: number, end: number): GpuVaOpList | Errno {
    return this.listOf((step) => this.madvise(start, end, step));
  }

  /** One for each mapping that has a page of the span. @kernel drm_gpuvm_prefetch_ops_create, drm_gpuva_prefetch_ops_create */
  prefetchOpsCreate(start: number, end: number): GpuVaOpList | Errno {
    return this.listOf((step) => each(this.vm.overlapping(start, end), (va) => step({ op: 'prefetch', va })));
  }

  /** One for each mapping of an object in the VM; the lock of the object's list is held. @kernel drm_gpuvm_bo_unmap_ops_create, drm_gpuva_gem_unmap_ops_create */
  boUnmapOpsCreate(vmBo: GpuVmBo): GpuVaOpList | Errno {
    vmBo.obj.assertGpuvaLockHeld(this.vm.isImmediate);
    return this.listOf((step) => each(vmBo.vas, (va) => step({ op: 'unmap', va, keep: false })));
  }

  /** What a request meets, in order of address; what is given may be removed. @kernel drm_gpuvm_for_each_va_range_safe */
  inTheWay({ start, end }: PageSpan): Iterable<GpuVa> {
    return this.vm.overlapping(start, end);
  }

  /** What becomes of a mapping when the span is taken out of it. @kernel op_unmap_cb, op_remap_cb */
  cutOut(va: GpuVa, { start, end }: PageSpan, keep: boolean): GpuVaUnmapOp | GpuVaRemapOp {
    const prev = va.start < start ? partOf(va, va.start, start) : null;
    const next = va.end > end ? partOf(va, end, va.end) : null;
    if (prev === null && next === null) return { op: 'unmap', va, keep };
    return { op: 'remap', prev, next, unmap: { va, keep } };
  }

  /** Each page of the old mapping is the page that the request puts there. */
  continues(va: GpuVa, request: GpuVaPlace): boolean {
    return (
      va.obj !== null && va.obj === request.obj && va.offset - va.start === request.offset - request.start
    );
  }

  private listOf(run: (step: GpuVaStep) => Errno): GpuVaOpList | Errno {
    const ops = this.memory.newList();
    if (ops === null) return Errno.ENOMEM;
    const errno = run((op) => ops.append(op));
    if (errno === Errno.OK) return ops;
    ops.free();
    return errno;
  }

  private callDriver(op: GpuVaOp): Errno {
    const { steps } = this.vm.ops;
    if (steps === undefined || op.op === 'prefetch') return Errno.EINVAL;
    if (op.op === 'map') return steps.smStepMap(op);
    return op.op === 'remap' ? steps.smStepRemap(op) : steps.smStepUnmap(op);
  }
}

function partOf(va: GpuVa, start: number, end: number): GpuVaPlace {
  return { start, end, obj: va.obj, offset: va.offset + (start - va.start) };
}

function middleOf(va: GpuVa, start: number, end: number): GpuVaPlace {
  return partOf(va, Math.max(va.start, start), Math.min(va.end, end));
}

function each(vas: Iterable<GpuVa>, step: (va: GpuVa) => Errno): Errno {
  for (const va of vas) {
    const errno = step(va);
    if (errno !== Errno.OK) return errno;
  }
  return Errno.OK;
}
