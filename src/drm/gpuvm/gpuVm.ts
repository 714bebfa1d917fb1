/** A GPU's virtual address space: which mappings there are, in which order, of which objects. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { IntervalTree } from '../../base/intervalTree.js';
import type { PageSpan } from './addressRange.js';
import type { GemObject, Reservation } from './gemObject.js';
import type { GpuVa } from './gpuVa.js';
import { GpuVmBo } from './gpuVmBo.js';

/**
 * Knows mappings, not page tables: those are the driver's. Mappings never overlap. All calls are made under the driver's lock for the VM.
 * @kernel drm_gpuvm
 */
export class GpuVm {
  private readonly vas = new IntervalTree<GpuVa>();
  private readonly bos = new Map<GemObject, GpuVmBo>();
  /** Objects with another reservation, which must be locked one by one. */
  private readonly external = new Set<GpuVmBo>();
  private readonly evicted = new Set<GpuVmBo>();
  /** Its own, shared by the objects that only this VM can map. */
  readonly resv: Reservation;

  /** `reserved`: kept for the driver itself; nobody maps there. @kernel drm_gpuvm_init */
  constructor(
    readonly name: string,
    readonly span: PageSpan,
    readonly reserved: PageSpan | null = null,
  ) {
    assert(span.start >= 0 && span.end > span.start, 'a VM without addresses');
    this.resv = { name: `reservation of ${name}` };
  }

  get size(): number {
    return this.vas.size;
  }

  /** Not empty, inside the VM, and clear of what the driver keeps for itself. @kernel drm_gpuvm_range_valid */
  rangeValid(start: number, end: number): boolean {
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || end <= start) return false;
    if (start < this.span.start || end > this.span.end) return false;
    const { reserved } = this;
    return reserved === null || end <= reserved.start || start >= reserved.end;
  }

  /** Errors: -EINVAL, not a range of the VM; -EEXIST, another mapping is there. @kernel drm_gpuva_insert */
  insert(va: GpuVa): Errno {
    assert(va.vm === null && va.node === null, 'a mapping is inserted twice');
    if (!this.rangeValid(va.start, va.end)) return Errno.EINVAL;
    if (!this.intervalEmpty(va.start, va.end)) return Errno.EEXIST;
    va.vm = this;
    va.node = this.vas.insert(va.start, va.end, va);
    return Errno.OK;
  }

  /** It must be unlinked from its object on its own. @kernel drm_gpuva_remove */
  remove(va: GpuVa): void {
    assert(va.vm === this && va.node !== null, 'a mapping of another VM is removed');
    this.vas.remove(va.node);
    va.node = null;
    va.vm = null;
  }

  /** The mapping of exactly these pages. @kernel drm_gpuva_find */
  find(start: number, end: number): GpuVa | null {
    const va = this.findFirst(start, end);
    return va !== null && va.start === start && va.end === end ? va : null;
  }

  /** The lowest mapping that has a page of these. @kernel drm_gpuva_find_first */
  findFirst(start: number, end: number): GpuVa | null {
    return end <= start ? null : this.vas.firstValue(start, end);
  }

  /** The mapping that ends at `start`. @kernel drm_gpuva_find_prev */
  findPrev(start: number): GpuVa | null {
    const va = start > 0 ? this.findFirst(start - 1, start) : null;
    return va !== null && va.end === start ? va : null;
  }

  /** The mapping that begins at `end`. @kernel drm_gpuva_find_next */
  findNext(end: number): GpuVa | null {
    const va = this.findFirst(end, end + 1);
    return va !== null && va.start === end ? va : null;
  }

  /** @kernel drm_gpuvm_interval_empty */
  intervalEmpty(start: number, end: number): boolean {
    return this.findFirst(start, end) === null;
  }

  /** The pages around an unmapped one up to the nearest mappings. */
  gapAround(page: number): PageSpan {
    const before = this.vas.before(page);
    const after = this.vas.lowerBound(page);
    return { start: before?.end ?? this.span.start, end: after?.start ?? this.span.end };
  }

  /** In order of address; the one just given may be removed. @kernel drm_gpuvm_for_each_va_range_safe */
  *overlapping(start: number, end: number): Generator<GpuVa, void, void> {
    let node = end > start ? this.vas.firstOverlap(start, end) : null;
    while (node !== null) {
      const next = this.vas.nextOverlap(node, start, end);
      yield node.value;
      node = next;
    }
  }

  /** All mappings, in order of address. @kernel drm_gpuvm_for_each_va */
  *[Symbol.iterator](): Generator<GpuVa, void, void> {
    yield* this.overlapping(this.span.start, this.span.end);
  }

  /** With a reference for the caller; made if there is none. @kernel drm_gpuvm_bo_obtain */
  obtainBo(obj: GemObject): GpuVmBo {
    const found = this.bos.get(obj);
    if (found !== undefined) return found.get();
    const made = new GpuVmBo(this, obj);
    this.bos.set(obj, made);
    if (made.isExternal) this.external.add(made);
    return made;
  }

  /** Null where the VM does not know the object; takes no reference. @kernel drm_gpuvm_bo_find */
  findBo(obj: GemObject): GpuVmBo | null {
    return this.bos.get(obj) ?? null;
  }

  /** The mapping takes a reference of its own. @kernel drm_gpuva_link */
  link(va: GpuVa, vmBo: GpuVmBo): void {
    assert(va.vm === this && vmBo.vm === this, 'a mapping is linked in another VM than its own');
    assert(va.vmBo === null && va.obj === vmBo.obj, 'a mapping is linked twice, or to another object');
    va.vmBo = vmBo.get();
    vmBo.vas.add(va);
  }

  /** Nothing to do where it is not linked. @kernel drm_gpuva_unlink */
  unlink(va: GpuVa): void {
    const { vmBo } = va;
    if (vmBo === null) return;
    const removed = vmBo.vas.delete(va);
    assert(removed, 'a mapping is not on the list of its object');
    va.vmBo = null;
    vmBo.put();
  }

  /** Marks an object's memory as taken away in this VM, or as there again. @kernel drm_gpuvm_bo_evict */
  setEvicted(vmBo: GpuVmBo, evicted: boolean): void {
    assert(vmBo.vm === this, 'an object of another VM');
    vmBo.evicted = evicted;
    if (evicted) this.evicted.add(vmBo);
    else this.evicted.delete(vmBo);
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

  /** @internal The last reference went. */
  forget(vmBo: GpuVmBo): void {
    this.bos.delete(vmBo.obj);
    this.external.delete(vmBo);
    this.evicted.delete(vmBo);
  }
}
