/** G1, E2, G3, G4, G7, R4, R6: GPU mappings are disjoint, lead to what was bound, with all their entries or none; the books of their objects agree. */

import type { Vpn } from '../base/units.js';
import { formatGpuPte, type GpuPte, gpuPteIsWritable, gpuPteProto } from '../device/gpuPte.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { pageInSpace, spaceOf } from '../device/gpuSpace.js';
import type { DeviceVm } from '../driver/vmBind/deviceVm.js';
import type { DriverVa } from '../driver/vmBind/driverVa.js';
import { DmaProto } from '../memory/dmaAddr.js';
import { formatPfn, NO_PFN, type Pfn } from '../memory/pfn.js';
import type { Mm } from '../mm/process/mm.js';
import { formatPte } from '../mm/table/pte.js';
import { cpuAllows } from './cpuRights.js';
import type { DeviceBindings, MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkGpuVms(view: MachineView): Rule[] {
  const order = new Rule('G1', 'GPU mappings');
  const entries = new Rule('E2', 'GPU address spaces', 'bound mappings', 'entries of bound mappings');
  const lists = new Rule('G3', 'lists of objects');
  const deferred = new Rule('G7', 'lists of objects');
  const objects = new Rule('R6', 'GPU address spaces', 'objects of VMs');
  const handles = new Rule('G4', 'GPU address spaces', 'objects of VMs');
  const opLists = new Rule('R4', 'GPU address spaces');
  for (const bindings of view.bindings) {
    const { deviceVm } = bindings;
    for (const rule of [entries, handles, objects, opLists]) rule.look('GPU address spaces');
    checkOrder(order, bindings);
    checkObjects(objects, bindings);
    checkHandles(handles, deviceVm);
    checkLists(lists, deviceVm);
    checkDeferred(deferred, deviceVm);
    checkOpLists(opLists, deviceVm);
    const snapshot = view.devices[deviceVm.gpu.index];
    if (snapshot !== undefined) checkEntries(view, entries, bindings, snapshot);
  }
  return [order, entries, lists, handles, deferred, objects, opLists];
}

/**
 * G1: implied by drm_gpuvm_sm_map, which first unmaps or splits what lies in the span of the new mapping, and by drm_gpuva_insert, which refuses what overlaps
 * or leaves the VM. A look-up in the tree finds only one of two that overlap.
 */
function checkOrder(rule: Rule, { deviceVm, vas }: DeviceBindings): void {
  const { gpu, gpuvm } = deviceVm;
  let end = gpuvm.span.start;
  for (const va of vas) {
    rule.look('GPU mappings');
    const page = va.start as Vpn;
    const inOrder = va.start >= end && va.end > va.start && va.end <= gpuvm.span.end;
    rule.require(inOrder, { page }, () => `a mapping of gpu${gpu.index} overlaps another one, or is none`);
    end = va.end;
  }
}

/**
 * R6: an object is known to the VM while it is mapped there, and as long as that it has a reference. Implied by drm_gpuva_link and drm_gpuva_unlink, which take
 * and put one reference of the VM's entry for the object per mapping; drm_gpuvm_bo_obtain finds the entry that is there, under the object's lock, before it makes one.
 */
function checkObjects(rule: Rule, { deviceVm, vas }: DeviceBindings): void {
  const { gpu, gpuvm } = deviceVm;
  let linked = 0;
  for (const vmBo of gpuvm.allBos) {
    rule.look('objects of VMs');
    linked += vmBo.vas.size;
    const holds = vmBo.vas.size > 0 && vmBo.refCount === vmBo.vas.size && vmBo.obj.vmBos.has(vmBo);
    rule.require(
      holds && vmBo.obj.refCount > 0,
      {},
      () => `gpu${gpu.index}: ${vmBo.obj.name} has ${vmBo.refCount} references and ${vmBo.vas.size} mappings`,
    );
  }
  let withObject = 0;
  for (const { obj } of vas) if (obj !== null) withObject++;
  rule.require(
    linked === withObject,
    {},
    () => `gpu${gpu.index}: ${withObject} mappings of objects, ${linked} of them linked`,
  );
}

/**
 * G4: an object that is mapped is there: each VM that knows it holds a reference. Implied by drm_gpuvm_bo_create, which takes one, and drm_gpuvm_bo_put, which
 * gives it back with the last mapping.
 */
function checkHandles(rule: Rule, { gpu, gpuvm }: DeviceVm): void {
  for (const { obj, vas } of gpuvm.allBos) {
    rule.look('objects of VMs');
    rule.require(
      vas.size === 0 || obj.refCount >= obj.vmBos.size,
      {},
      () =>
        `gpu${gpu.index}: ${obj.name} is known to ${obj.vmBos.size} VMs and has ${obj.refCount} references`,
    );
  }
}

/**
 * G3: what others can map too is on the list of what must be locked one by one, and what has lost its memory on the list of what must be validated, unless
 * the VM's reservation guards that and nobody has prepared the VM since. Nothing else is on either. Implied by drm_gpuvm_bo_extobj_add and drm_gpuvm_bo_evict,
 * which bring flag and list together under the list's lock; what is missing on a list is not locked, or not validated, by the job that uses it.
 */
function checkLists(rule: Rule, { gpu, gpuvm }: DeviceVm): void {
  const known = new Set(gpuvm.allBos);
  rule.look('lists of objects', 2);
  for (const vmBo of known) {
    const late = gpuvm.isResvProtected && vmBo.isExternal;
    const evictedRight = gpuvm.evicted.has(vmBo) === vmBo.evicted || late;
    rule.require(
      gpuvm.external.has(vmBo) === vmBo.isExternal && evictedRight,
      {},
      () => `gpu${gpu.index}: ${vmBo.obj.name} is on a list where it should not be, or on none`,
    );
  }
  const strays = [...gpuvm.external, ...gpuvm.evicted].filter((vmBo) => !known.has(vmBo) && !vmBo.isZombie);
  rule.require(
    strays.length === 0,
    {},
    () => `gpu${gpu.index}: an object is on a list of a VM that does not know it`,
  );
}

/**
 * G7: no object waits to be freed by nobody. Implied by drm_gpuvm_bo_deferred_cleanup, which must run before the VM goes; only a VM in immediate mode, where
 * the last mapping may go where an object cannot be freed, defers at all. That its list too is empty when it goes, the VM asserts at its end.
 */
function checkDeferred(rule: Rule, { gpu, gpuvm }: DeviceVm): void {
  rule.look('lists of objects');
  const waiting = gpuvm.deferredBos.length;
  rule.require(
    gpuvm.isImmediate || waiting === 0,
    {},
    () => `gpu${gpu.index}: ${waiting} objects wait to be freed, and nobody will free them`,
  );
}

/**
 * R4: lists of steps live while a request is carried out. Implied by drm_gpuva_ops_free, which every path of a request comes to once, also after an error.
 */
function checkOpLists(rule: Rule, { gpu, gpuvm }: DeviceVm): void {
  const { live } = gpuvm.splitMerge.memory;
  rule.require(live === 0, {}, () => `gpu${gpu.index}: ${live} allocations of lists of steps are left`);
}

/**
 * E2: what a request to bind has reported as done is so: a bound mapping has all its entries, and they lead to what was bound; one that is marked to be bound anew
 * has none. Implied by the bind lock, under which the driver carries out all steps of a request or none, and by drm_gpuvm_bo_evict and the callback of a userptr,
 * which mark mappings whose memory moves.
 */
function checkEntries(
  view: MachineView,
  rule: Rule,
  { vm, deviceVm, vas }: DeviceBindings,
  snapshot: GpuSnapshot,
): void {
  const found = new Map<DriverVa, number>();
  view.forEachGpuPte(snapshot, (tagged, pte) => {
    if (spaceOf(tagged) !== vm.space) return;
    const page = pageInSpace(tagged);
    const va = deviceVm.vaAt(page);
    if (va === null) {
      rule.violate({ page }, `gpu${snapshot.device} has ${formatGpuPte(pte)} where nothing is bound`);
      return;
    }
    if (va.kind === 'mirror') return;
    rule.look('entries of bound mappings');
    found.set(va, (found.get(va) ?? 0) + 1);
    checkTarget(view, rule, vm.mm, snapshot.device, va, page, pte);
  });
  for (const va of vas) {
    if (va.kind === 'mirror') continue;
    if (va.bound) rule.look('bound mappings');
    rule.require(
      !(va.bound && va.isInvalidated),
      { page: va.start as Vpn },
      () => `gpu${snapshot.device} has entries of a mapping whose object has moved since`,
    );
    const expected = va.bound ? va.npages : 0;
    const entries = found.get(va) ?? 0;
    rule.require(
      entries === expected,
      { page: va.start as Vpn },
      () => `gpu${snapshot.device} has ${entries} of ${expected} entries of a mapping`,
    );
  }
}

/** The object's page, or the page that the process has there now. */
function checkTarget(
  view: MachineView,
  rule: Rule,
  mm: Mm,
  device: number,
  va: DriverVa,
  page: Vpn,
  pte: GpuPte,
): void {
  const write = gpuPteIsWritable(pte);
  const pfn = view.resolveGpuPte(device, pte, write);
  const within = page - va.start;
  const right = va.isSparse
    ? gpuPteProto(pte) === DmaProto.Null && pfn === view.coordinator.kernel.zeroPage
    : pfn !== NO_PFN && leadsRight(view, mm, va, within, pfn, write);
  rule.require(right, { page, pfn }, () => {
    const what = `gpu${device} has ${formatGpuPte(pte)}, pfn ${formatPfn(pfn)}`;
    if (va.bo !== null) return `${what}, not page ${va.offset + within} of ${va.bo.name}`;
    if (va.isSparse) return `${what}, where no memory is to be`;
    const user = (va.offset + within) as Vpn;
    return `${what}, but the CPU's entry is ${formatPte(view.pteAt(user, mm))}`;
  });
}

function leadsRight(
  view: MachineView,
  mm: Mm,
  va: DriverVa,
  within: number,
  pfn: Pfn,
  write: boolean,
): boolean {
  if (va.bo !== null) return va.bo.pfns[va.offset + within] === pfn;
  return cpuAllows(view, mm, (va.offset + within) as Vpn, pfn, write);
}
