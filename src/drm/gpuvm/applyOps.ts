/** Carries steps out on the VM's view of its addresses; page tables are for the driver, before or after. */

import { unreachable } from '../../base/assert.js';
import type { GpuVa, GpuVaPlace } from './gpuVa.js';
import type { GpuVaOp, GpuVaRemapOp } from './gpuVaOps.js';
import type { GpuVm } from './gpuVm.js';

/** Makes the driver's mapping; `from` is the one that it is a part of, if any: it has what the driver keeps with it. */
export type GpuVaFactory = (place: GpuVaPlace, from: GpuVa | null) => GpuVa;

/** The mappings that came and went, in order. */
export interface AppliedOps {
  readonly added: readonly GpuVa[];
  readonly removed: readonly GpuVa[];
}

interface Applied {
  readonly added: GpuVa[];
  readonly removed: GpuVa[];
}

/** New mappings are linked to their objects. */
export function applyOps(vm: GpuVm, ops: Iterable<GpuVaOp>, make: GpuVaFactory): AppliedOps {
  const applied: Applied = { added: [], removed: [] };
  for (const op of ops) applyOp(vm, op, make, applied);
  return applied;
}

/** Takes steps back; whoever calls holds references to the objects of what was removed. @kernel vm_bind_ioctl_ops_unwind */
export function undoOps(vm: GpuVm, { added, removed }: AppliedOps): void {
  for (const va of added) takeOut(vm, va);
  for (const va of removed) putIn(vm, va);
}

function applyOp(vm: GpuVm, op: GpuVaOp, make: GpuVaFactory, applied: Applied): void {
  switch (op.op) {
    case 'map':
      applied.added.push(putIn(vm, make(op.place, op.from)));
      break;
    case 'unmap':
      vm.unlink(op.va);
      vm.unmap(op);
      applied.removed.push(op.va);
      break;
    case 'remap':
      remap(vm, op, make, applied);
      break;
    case 'prefetch':
      break;
    default:
      unreachable(op);
  }
}

function remap(vm: GpuVm, op: GpuVaRemapOp, make: GpuVaFactory, applied: Applied): void {
  const { va } = op.unmap;
  const part = (place: GpuVaPlace | null): GpuVa | null => (place === null ? null : make(place, va));
  const [prev, next] = [part(op.prev), part(op.next)];
  // So that what the VM knows of the object outlives the moment without a mapping.
  const vmBo = va.vmBo?.get() ?? null;
  vm.unlink(va);
  vm.remap(prev, next, op);
  applied.removed.push(va);
  for (const one of [prev, next]) if (one !== null) applied.added.push(linked(vm, one));
  vmBo?.put();
}

/** Out of its object's list, then out of the VM. */
function takeOut(vm: GpuVm, va: GpuVa): void {
  vm.unlink(va);
  vm.remove(va);
}

function putIn(vm: GpuVm, va: GpuVa): GpuVa {
  vm.map(va);
  return linked(vm, va);
}

/** On its object's list. */
function linked(vm: GpuVm, va: GpuVa): GpuVa {
  if (va.obj === null) return va;
  const vmBo = vm.obtainBo(va.obj);
  vm.link(va, vmBo);
  vm.extobjAdd(vmBo);
  vmBo.put();
  return va;
}
