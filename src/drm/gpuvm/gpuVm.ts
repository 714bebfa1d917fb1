/** A GPU's virtual address space: which mappings there are, in which order, of which objects. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { IntervalTree } from '../../base/intervalTree.js';
import type { Steps } from '../../sim/steps.js';
import type { Reservation } from '../exec/dmaResv.js';
import { DrmExec } from '../exec/drmExec.js';
import { ADDRESS_PAGES, type PageSpan } from './addressRange.js';
import { GemObject } from './gemObject.js';
import { GpuVa } from './gpuVa.js';
import type { GpuVaRemapOp, GpuVaUnmap } from './gpuVaOps.js';
import { GpuVmBo } from './gpuVmBo.js';
import { GpuVmBoList } from './gpuVmBoList.js';
import { GpuVmFlag, type GpuVmOps } from './gpuVmOps.js';
import { SplitMerge } from './splitMerge.js';

/** All of it optional. */
export interface GpuVmOptions {
  /** Kept for the driver itself; nobody maps there. */
  readonly reserved?: PageSpan;
  /** Of {@link GpuVmFlag}. */
  readonly flags?: number;
  /** Its reservation is the VM's, shared by the objects that only this VM can map. @kernel r_obj */
  readonly resvObject: GemObject;
  readonly ops?: GpuVmOps;
}

/**
 * An object of no memory, for its reservation. @kernel drm_gpuvm_resv_object_alloc
 */
export function resvObjectAlloc(resv: Reservation): GemObject {
  return new GemObject(resv.name, 0, resv);
}

/**
 * Knows mappings, not page tables: those are the driver's. Mappings never overlap. All calls about mappings are made under the driver's lock for the
 * VM; those about objects' lists also under the lock that the object names; those about the VM's lists of external and evicted objects under the VM's
 * reservation, where it is to guard them (`ResvProtected`). Addresses are pages: the 2^64 bytes that a GPU can name are 2^52 of them, in exact numbers.
 * @kernel drm_gpuvm, drm_gpuva_manager
 */
export class GpuVm {
  /** By address. @kernel drm_gpuvm.rb, drm_gpuva_manager.rb.tree */
  private readonly vas = new IntervalTree<GpuVa>();
  private readonly bos = new Map<GemObject, GpuVmBo>();
  /** Objects with another reservation, which must be locked one by one. @kernel extobj */
  readonly external = new GpuVmBoList();
  /** Objects whose memory was taken away, until they are validated. @kernel evict */
  readonly evicted = new GpuVmBoList();
  /** What the last references in the path of fences have left to be freed. @kernel bo_defer */
  private deferred: GpuVmBo[] = [];
  private refs = 1;
  private readonly ownReservation: { readonly object: GemObject };
  /** The part of the addresses that the driver keeps for itself: a mapping that nobody can remove. @kernel kernel_alloc_node */
  readonly kernelAllocNode: GpuVa | null;
  readonly flags: number;
  readonly ops: GpuVmOps;
  readonly splitMerge: SplitMerge;

  /** With one reference, the caller's; `span` is all that can be mapped. @kernel drm_gpuvm_init, drm_gpuva_manager_init */
  constructor(
    readonly name: string,
    readonly span: PageSpan,
    { reserved, flags = 0, resvObject, ops = {} }: GpuVmOptions,
  ) {
    assert(span.start >= 0 && span.end > span.start, 'a VM without addresses');
    assert(span.end <= ADDRESS_PAGES, 'a VM reaches beyond 64 bits');
    this.flags = flags;
    this.ops = ops;
    this.splitMerge = new SplitMerge(this);
    this.ownReservation = { object: resvObject.get() };
    this.kernelAllocNode = reserved === undefined ? null : new GpuVa({ ...reserved, obj: null, offset: 0 });
    if (this.kernelAllocNode !== null) this.insertNode(this.kernelAllocNode);
  }

  /** Mappings, without what the driver keeps for itself. */
  get size(): number {
    return this.vas.size - (this.kernelAllocNode === null ? 0 : 1);
  }

  get refCount(): number {
    return this.refs;
  }

  /** One more reference; the VM must not be gone. @kernel drm_gpuvm_get */
  get(): this {
    assert(this.refs > 0, 'a GPU VM that is gone is taken again');
    this.refs++;
    return this;
  }

  /** Drops a reference; the last one ends the VM, which must be empty, and tells the driver. @kernel drm_gpuvm_put, drm_gpuva_manager_destroy */
  put(): void {
    assert(this.refs > 0, 'a GPU VM is put too often');
    this.refs--;
    if (this.refs > 0) return;
    this.fini();
    this.ops.vmFree?.(this);
  }

  /** Nothing may be mapped, listed or waiting any more. @kernel drm_gpuvm_fini */
  private fini(): void {
    if (this.kernelAllocNode !== null) this.removeNode(this.kernelAllocNode);
    assert(this.vas.size === 0, 'a GPU VM is freed with mappings');
    assert(this.external.size === 0, 'a GPU VM is freed with external objects');
    assert(this.evicted.size === 0, 'a GPU VM is freed with evicted objects');
    assert(this.deferred.length === 0, 'a GPU VM is freed while objects wait for their cleanup');
    this.ownReservation.object.put();
  }

  /** The object whose reservation is the VM's. @kernel drm_gpuvm_resv_obj */
  get resvObject(): GemObject {
    return this.ownReservation.object;
  }

  /** The VM's reservation, which objects that only it can map share. @kernel drm_gpuvm_resv, drm_gpuvm_resv_held, drm_gpuvm_resv_assert_held */
  get resv(): Reservation {
    return this.ownReservation.object.resv;
  }

  /** Whether the reservation guards the VM's lists. @kernel drm_gpuvm_resv_protected */
  get isResvProtected(): boolean {
    return (this.flags & GpuVmFlag.ResvProtected) !== 0;
  }

  /** Whether mappings change in the path of fences. @kernel drm_gpuvm_immediate_mode, drm_gpuva_manager_external_lock */
  get isImmediate(): boolean {
    return (this.flags & GpuVmFlag.ImmediateMode) !== 0;
  }

  /** Others can map it too: it does not share the VM's reservation. @kernel drm_gpuvm_is_extobj */
  isExternal(obj: GemObject): boolean {
    return obj.resv !== this.resv;
  }

  /** Not empty, an end within 64 bits, inside the VM, and clear of what the driver keeps for itself. @kernel drm_gpuvm_range_valid, drm_gpuva_range_valid */
  rangeValid(start: number, end: number): boolean {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || end <= start) return false;
    return !this.checkOverflow(start, end) && this.inMmRange(start, end) && !this.inKernelNode(start, end);
  }

  /** An end of 2^64 bytes is 0 in 64 bits, and so beyond. @kernel drm_gpuvm_check_overflow, drm_gpuva_check_overflow, drm_gpuvm_warn_check_overflow */
  checkOverflow(start: number, end: number): boolean {
    return start < 0 || end >= ADDRESS_PAGES;
  }

  /** Whether all of it lies in the VM. @kernel drm_gpuvm_in_mm_range, drm_gpuva_in_mm_range */
  inMmRange(start: number, end: number): boolean {
    return start >= this.span.start && end <= this.span.end;
  }

  /** Whether any of it is what the driver keeps for itself. @kernel drm_gpuvm_in_kernel_node, drm_gpuva_in_kernel_node */
  inKernelNode(start: number, end: number): boolean {
    const node = this.kernelAllocNode;
    return node !== null && start < node.end && node.start < end;
  }

  /** Takes a reference to the VM. Errors: -EINVAL, not a range of the VM; -EEXIST, another mapping is there. @kernel drm_gpuva_insert */
  insert(va: GpuVa): Errno {
    assert(va.vm === null && va.node === null, 'a mapping is inserted twice');
    if (!this.rangeValid(va.start, va.end)) return Errno.EINVAL;
    if (!this.intervalEmpty(va.start, va.end)) return Errno.EEXIST;
    this.insertNode(va);
    this.get();
    return Errno.OK;
  }

  /** It must be unlinked from its object on its own. May free the VM. @kernel drm_gpuva_remove */
  remove(va: GpuVa): void {
    assert(va !== this.kernelAllocNode, 'what the driver keeps for itself is removed');
    this.removeNode(va);
    this.put();
  }

  /** Into the tree, without a look at what is there. @kernel __drm_gpuva_insert, drm_gpuva_it_insert */
  private insertNode(va: GpuVa): void {
    va.vm = this;
    va.node = this.vas.insert(va.start, va.end, va);
  }

  /** Out of the tree, which must be this VM's. @kernel __drm_gpuva_remove, drm_gpuva_it_remove */
  private removeNode(va: GpuVa): void {
    assert(va.vm === this && va.node !== null, 'a mapping of another VM is removed');
    this.vas.remove(va.node);
    va.node = null;
    va.vm = null;
  }

  /** Nothing may be in its way. @kernel drm_gpuva_map */
  map(va: GpuVa): void {
    const errno = this.insert(va);
    assert(errno === Errno.OK, 'a step maps where something is mapped');
  }

  /** In place of a mapping its head, its tail, or both. @kernel drm_gpuva_remap */
  remap(prev: GpuVa | null, next: GpuVa | null, op: GpuVaRemapOp): void {
    this.get();
    this.unmap(op.unmap);
    if (prev !== null) this.map(prev);
    if (next !== null) this.map(next);
    this.put();
  }

  /** The mapping of the step goes; it stays linked to its object. May free the VM. @kernel drm_gpuva_unmap */
  unmap({ va }: GpuVaUnmap): void {
    this.remove(va);
  }

  /** The mapping of exactly these pages. @kernel drm_gpuva_find */
  find(start: number, end: number): GpuVa | null {
    const va = this.findFirst(start, end);
    return va !== null && va.start === start && va.end === end ? va : null;
  }

  /** The lowest mapping that has a page of these. @kernel drm_gpuva_find_first, drm_gpuva_it_iter_first */
  findFirst(start: number, end: number): GpuVa | null {
    return end <= start ? null : this.vas.firstValue(start, end);
  }

  /** The mapping that ends at `start`. Upstream also finds one that begins there, where none ends. @kernel drm_gpuva_find_prev */
  findPrev(start: number): GpuVa | null {
    const va = start > 0 ? this.findFirst(start - 1, start) : null;
    return va !== null && va.end === start ? va : null;
  }

  /** The mapping that begins at `end`. @kernel drm_gpuva_find_next */
  findNext(end: number): GpuVa | null {
    const va = this.findFirst(end, end + 1);
    return va !== null && va.start === end ? va : null;
  }

  /** Whether nothing is mapped in the span. @kernel drm_gpuvm_interval_empty, drm_gpuva_interval_empty */
  intervalEmpty(start: number, end: number): boolean {
    return this.findFirst(start, end) === null;
  }

  /** The pages around an unmapped one up to the nearest mappings. */
  gapAround(page: number): PageSpan {
    const before = this.vas.before(page);
    const after = this.vas.lowerBound(page);
    return { start: before?.end ?? this.span.start, end: after?.start ?? this.span.end };
  }

  /** In order of address; the one just given may be removed. @kernel drm_gpuva_it_next, drm_gpuvm_for_each_va_range, drm_gpuvm_for_each_va_range_safe, drm_gpuva_for_each_va_range, drm_gpuva_for_each_va_range_safe */
  *overlapping(start: number, end: number): Generator<GpuVa, void, void> {
    let node = end > start ? this.vas.firstOverlap(start, end) : null;
    while (node !== null) {
      const next = this.vas.nextOverlap(node, start, end);
      yield node.value;
      node = next;
    }
  }

  /** All mappings, in order of address. @kernel drm_gpuvm_for_each_va, drm_gpuvm_for_each_va_safe, drm_gpuva_for_each_va, drm_gpuva_for_each_va_safe */
  [Symbol.iterator](): Generator<GpuVa, void, void> {
    return this.overlapping(this.span.start, this.span.end);
  }

  /** With a reference for the caller; made if there is none. Null: no memory. @kernel drm_gpuvm_bo_obtain, drm_gpuvm_bo_obtain_locked */
  tryObtainBo(obj: GemObject): GpuVmBo | null {
    const found = this.findBo(obj);
    if (found !== null) return found.get();
    const made = this.createBo(obj);
    if (made !== null) this.listBo(made);
    return made;
  }

  /** Where memory is not short. */
  obtainBo(obj: GemObject): GpuVmBo {
    const vmBo = this.tryObtainBo(obj);
    assert(vmBo !== null, 'no memory for what a VM knows of an object');
    return vmBo;
  }

  /** The one that is there, with a reference, and the given one is thrown away; or the given one. Allocates nothing. @kernel drm_gpuvm_bo_obtain_prealloc */
  obtainBoPrealloc(made: GpuVmBo): GpuVmBo {
    const found = this.findBo(made.obj);
    if (found === null) {
      this.listBo(made);
      return made;
    }
    const taken = found.get();
    made.discard();
    return taken;
  }

  /** On no list yet. Null: no memory. @kernel drm_gpuvm_bo_create */
  createBo(obj: GemObject): GpuVmBo | null {
    const { vmBoAlloc } = this.ops;
    return vmBoAlloc === undefined ? new GpuVmBo(this, obj) : vmBoAlloc(this, obj);
  }

  /** Null where the VM does not know the object; takes no reference. @kernel drm_gpuvm_bo_find */
  findBo(obj: GemObject): GpuVmBo | null {
    obj.assertGpuvaLockHeld(this.isImmediate);
    return this.bos.get(obj) ?? null;
  }

  private listBo(vmBo: GpuVmBo): void {
    vmBo.obj.assertGpuvaLockHeld(this.isImmediate);
    this.bos.set(vmBo.obj, vmBo);
    vmBo.obj.vmBos.add(vmBo);
  }

  /** The mapping takes a reference of its own; nothing to do for one without an object. @kernel drm_gpuva_link */
  link(va: GpuVa, vmBo: GpuVmBo): void {
    assert(va.vm === this && vmBo.vm === this, 'a mapping is linked in another VM than its own');
    assert(va.vmBo === null && va.obj === vmBo.obj, 'a mapping is linked twice, or to another object');
    vmBo.obj.assertGpuvaLockHeld(this.isImmediate);
    va.vmBo = vmBo.get();
    vmBo.vas.add(va);
  }

  /** Nothing to do where it is not linked. @kernel drm_gpuva_unlink */
  unlink(va: GpuVa): void {
    this.detach(va)?.put();
  }

  /** In the path of fences: what the VM knows of the object is freed later. Takes the object's list lock itself. @kernel drm_gpuva_unlink_defer */
  *unlinkDefer(va: GpuVa): Steps<void> {
    const lock = va.obj?.gpuvaLock ?? null;
    if (va.vmBo === null) return;
    assert(lock !== null, 'an object without a list lock is mapped in the path of fences');
    yield* lock.lock();
    const vmBo = this.detach(va);
    const isLast = vmBo?.dropDeferred() ?? false;
    lock.unlock();
    if (vmBo !== null && isLast) this.deferCleanup(vmBo);
  }

  private detach(va: GpuVa): GpuVmBo | null {
    const { vmBo } = va;
    if (vmBo === null) return null;
    vmBo.obj.assertGpuvaLockHeld(this.isImmediate);
    const removed = vmBo.vas.delete(va);
    assert(removed, 'a mapping is not on the list of its object');
    va.vmBo = null;
    return vmBo;
  }

  /** Whoever maps an object that others can map too must say so, or nobody waits for it. @kernel drm_gpuvm_bo_extobj_add */
  extobjAdd(vmBo: GpuVmBo): void {
    if (this.isResvProtected) this.resv.assertHeld();
    if (vmBo.isExternal && !vmBo.isZombie) this.external.add(vmBo);
  }

  /**
   * Marks an object's memory as taken away in this VM, or as there again; its reservation is held. Where the VM's reservation guards the lists, that of an
   * external object does not do: it comes on the list when the VM is next prepared. @kernel drm_gpuvm_bo_evict
   */
  setEvicted(vmBo: GpuVmBo, evicted: boolean): void {
    assert(vmBo.vm === this, 'an object of another VM');
    vmBo.obj.resv.assertHeld();
    vmBo.evicted = evicted;
    if (this.isResvProtected && vmBo.isExternal) return;
    if (evicted) this.evicted.add(vmBo);
    else this.evicted.delete(vmBo);
  }

  /** In every VM that has mappings of the object; its reservation is held. @kernel drm_gpuvm_bo_gem_evict */
  static evictEverywhere(obj: GemObject, evicted: boolean): void {
    for (const vmBo of obj.vmBos) vmBo.vm.setEvicted(vmBo, evicted);
  }

  /** Objects that need validation, the longest evicted first. */
  get evictedBos(): readonly GpuVmBo[] {
    return [...this.evicted];
  }

  get externalBos(): readonly GpuVmBo[] {
    return [...this.external];
  }

  get allBos(): readonly GpuVmBo[] {
    return [...this.bos.values()];
  }

  /** Those that wait for {@link deferredCleanup}. */
  get deferredBos(): readonly GpuVmBo[] {
    return this.deferred;
  }

  /** The last reference went. @internal @kernel drm_gpuvm_bo_destroy */
  destroyBo(vmBo: GpuVmBo): void {
    if (this.isResvProtected) this.resv.assertHeld();
    this.leaveLists(vmBo);
    this.unlistBo(vmBo);
    this.releaseBo(vmBo);
  }

  /** It is found no more, but not freed. The VM's own lists need its reservation, which cannot be had here. @internal @kernel drm_gpuvm_bo_into_zombie */
  makeZombie(vmBo: GpuVmBo): void {
    if (!this.isResvProtected) this.leaveLists(vmBo);
    this.unlistBo(vmBo);
  }

  /** It waits for {@link deferredCleanup}. @internal @kernel drm_gpuvm_bo_defer_zombie_cleanup */
  deferCleanup(vmBo: GpuVmBo): void {
    this.deferred.push(vmBo);
  }

  /** Frees what was put in the path of fences. May free the VM. @kernel drm_gpuvm_bo_deferred_cleanup */
  *deferredCleanup(): Steps<void> {
    if (this.deferred.length === 0) return;
    const exec = new DrmExec();
    const zombies = this.deferred;
    this.deferred = [];
    if (this.isResvProtected) {
      yield* exec.untilAllLocked(() => exec.lockObj(this.resvObject));
      for (const vmBo of zombies) this.leaveLists(vmBo);
      exec.fini();
    }
    for (const vmBo of zombies) this.releaseBo(vmBo);
  }

  /** Frees it, and drops its references to object and VM. @internal @kernel drm_gpuvm_bo_destroy_not_in_lists */
  releaseBo(vmBo: GpuVmBo): void {
    const { obj } = vmBo;
    this.ops.vmBoFree?.(vmBo);
    this.put();
    obj.put();
  }

  private leaveLists(vmBo: GpuVmBo): void {
    this.external.delete(vmBo);
    this.evicted.delete(vmBo);
  }

  /** It is found no more. */
  unlistBo(vmBo: GpuVmBo): void {
    vmBo.obj.assertGpuvaLockHeld(this.isImmediate);
    this.bos.delete(vmBo.obj);
    vmBo.obj.vmBos.delete(vmBo);
  }
}
