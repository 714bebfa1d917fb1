/** Split and merge: how a request falls into steps, as a list or one callback after another. */

import { Errno } from '../../base/errno.js';
import type { GemObject } from './gemObject.js';
import type { GpuVa, GpuVaPlace } from './gpuVa.js';
import type { GpuVaOp, GpuVaPrefetchOp, GpuVaRemapOp, GpuVaUnmapOp } from './gpuVaOps.js';
import type { GpuVm } from './gpuVm.js';

/** Told of each step in order; a step may change the VM at once. Anything but OK ends the request. @kernel drm_gpuvm_ops */
export type GpuVaStep = (op: GpuVaOp) => Errno;

/**
 * Maps `request`, whatever is there. Each mapping in its way is unmapped, or remapped to what of it sticks out; one map step comes last.
 * Errors: -EINVAL, not a range of the VM; whatever a step reports. @kernel drm_gpuvm_sm_map
 */
export function smMap(vm: GpuVm, request: GpuVaPlace, step: GpuVaStep): Errno {
  if (!vm.rangeValid(request.start, request.end)) return Errno.EINVAL;
  for (const va of vm.overlapping(request.start, request.end)) {
    const errno = step(cutOut(va, request.start, request.end, continues(va, request)));
    if (errno !== Errno.OK) return errno;
  }
  return step({ op: 'map', place: request, from: null });
}

/** As {@link smMap}, with nothing in place of what goes. @kernel drm_gpuvm_sm_unmap */
export function smUnmap(vm: GpuVm, start: number, end: number, step: GpuVaStep): Errno {
  if (!vm.rangeValid(start, end)) return Errno.EINVAL;
  for (const va of vm.overlapping(start, end)) {
    const errno = step(cutOut(va, start, end, false));
    if (errno !== Errno.OK) return errno;
  }
  return Errno.OK;
}

/**
 * Splits mappings at both ends of the span, so that attributes can be given to the middle alone: those that lie inside stay, and those with
 * an object are left out. At most two remaps, each with its map. @kernel drm_gpuvm_madvise_ops_create
 */
export function smMadvise(vm: GpuVm, start: number, end: number, step: GpuVaStep): Errno {
  if (!vm.rangeValid(start, end)) return Errno.EINVAL;
  for (const va of vm.overlapping(start, end)) {
    if (va.obj !== null) continue;
    const cut = cutOut(va, start, end, false);
    if (cut.op === 'unmap') continue;
    let errno = step(cut);
    if (errno === Errno.OK) errno = step({ op: 'map', place: middleOf(va, start, end), from: va });
    if (errno !== Errno.OK) return errno;
  }
  return Errno.OK;
}

/** @kernel drm_gpuvm_sm_map_ops_create */
export function smMapOps(vm: GpuVm, request: GpuVaPlace): readonly GpuVaOp[] | Errno {
  return listOf((step) => smMap(vm, request, step));
}

/** @kernel drm_gpuvm_sm_unmap_ops_create */
export function smUnmapOps(vm: GpuVm, start: number, end: number): readonly GpuVaOp[] | Errno {
  return listOf((step) => smUnmap(vm, start, end, step));
}

/** @kernel drm_gpuvm_madvise_ops_create */
export function madviseOps(vm: GpuVm, start: number, end: number): readonly GpuVaOp[] | Errno {
  return listOf((step) => smMadvise(vm, start, end, step));
}

/** One for each mapping that has a page of the span. @kernel drm_gpuvm_prefetch_ops_create */
export function prefetchOps(vm: GpuVm, start: number, end: number): readonly GpuVaPrefetchOp[] {
  return [...vm.overlapping(start, end)].map((va) => ({ op: 'prefetch', va }));
}

/** One for each mapping of an object in the VM. @kernel drm_gpuvm_bo_unmap_ops_create */
export function boUnmapOps(vm: GpuVm, obj: GemObject): readonly GpuVaUnmapOp[] {
  const vas = [...(vm.findBo(obj)?.vas ?? [])];
  return vas.map((va) => ({ op: 'unmap', va, keep: false }));
}

/**
 * The objects whose reservations a request needs: what it maps, then those that it takes mappings from. Runs the steps without changing
 * anything. @kernel drm_gpuvm_sm_map_exec_lock
 */
export function objectsOfMap(vm: GpuVm, request: GpuVaPlace): readonly GemObject[] | Errno {
  return lockList(request.obj, (step) => smMap(vm, request, step));
}

/** @kernel drm_gpuvm_sm_unmap_exec_lock */
export function objectsOfUnmap(vm: GpuVm, start: number, end: number): readonly GemObject[] | Errno {
  return lockList(null, (step) => smUnmap(vm, start, end, step));
}

/** What becomes of a mapping when the span is taken out of it. */
function cutOut(va: GpuVa, start: number, end: number, keep: boolean): GpuVaUnmapOp | GpuVaRemapOp {
  const prev = va.start < start ? partOf(va, va.start, start) : null;
  const next = va.end > end ? partOf(va, end, va.end) : null;
  if (prev === null && next === null) return { op: 'unmap', va, keep };
  return { op: 'remap', prev, next, unmap: { va, keep } };
}

/** Each page of the old mapping is the page that the request puts there. */
function continues(va: GpuVa, request: GpuVaPlace): boolean {
  return va.obj !== null && va.obj === request.obj && va.offset - va.start === request.offset - request.start;
}

function partOf(va: GpuVa, start: number, end: number): GpuVaPlace {
  return { start, end, obj: va.obj, offset: va.offset + (start - va.start) };
}

function middleOf(va: GpuVa, start: number, end: number): GpuVaPlace {
  return partOf(va, Math.max(va.start, start), Math.min(va.end, end));
}

function listOf(run: (step: GpuVaStep) => Errno): readonly GpuVaOp[] | Errno {
  const ops: GpuVaOp[] = [];
  const errno = run((op) => {
    ops.push(op);
    return Errno.OK;
  });
  return errno === Errno.OK ? ops : errno;
}

function lockList(first: GemObject | null, run: (step: GpuVaStep) => Errno): readonly GemObject[] | Errno {
  const objects = new Set<GemObject>(first === null ? [] : [first]);
  const errno = run((op) => {
    const obj = op.op === 'remap' ? op.unmap.va.obj : op.op === 'unmap' ? op.va.obj : null;
    if (obj !== null) objects.add(obj);
    return Errno.OK;
  });
  return errno === Errno.OK ? [...objects] : errno;
}
