/** One device's GPU address space: what a program has bound where, and the page-table entries that follow from it. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn, vpn } from '../../base/units.js';
import { inSpace } from '../../device/gpuSpace.js';
import { DmaResv } from '../../drm/exec/dmaResv.js';
import type { PageSpan } from '../../drm/gpuvm/addressRange.js';
import { type AppliedOps, applyOps, undoOps } from '../../drm/gpuvm/applyOps.js';
import type { GemObject } from '../../drm/gpuvm/gemObject.js';
import type { GpuVa, GpuVaPlace } from '../../drm/gpuvm/gpuVa.js';
import type { GpuVaOpList } from '../../drm/gpuvm/gpuVaOpList.js';
import type { GpuVaOp } from '../../drm/gpuvm/gpuVaOps.js';
import { GpuVm, resvObjectAlloc } from '../../drm/gpuvm/gpuVm.js';
import { GpuVmExec } from '../../drm/gpuvm/gpuVmExec.js';
import type { GpuVmOps } from '../../drm/gpuvm/gpuVmOps.js';
import type { PageArrayPool } from '../../memory/pageArrays.js';
import { LockClass } from '../../sim/lockOrder.js';
import { Mutex } from '../../sim/mutex.js';
import type { StepId, Steps } from '../../sim/steps.js';
import type { XeMadvise } from '../attributes/xeMadvise.js';
import { DriverStep } from '../driverStep.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { SvmVm } from '../svmVm.js';
import type { BoMoves } from '../vram/boMoves.js';
import { DriverVa, own, type VaHome, type VaKind } from './driverVa.js';
import { advisedAcross, withMirrorsBeside } from './mirrorBeside.js';
import { Userptr } from './userptr.js';
import { VaBinder } from './vaBinder.js';
import { VramBo } from './vramBo.js';

const bindLockClass = new LockClass('bind lock');

/** What a request did: the steps that it fell into, or why it did nothing. */
export interface BindResult {
  readonly errno: Errno;
  readonly ops: readonly GpuVaOp[];
}

/** How a request is locked, and which steps it falls into. */
export interface BindPlan {
  lock(exec: GpuVmExec): Steps<Errno>;
  list(): GpuVaOpList | Errno;
  /** Once nothing is in the way: whether what is to be mapped can be had. */
  check?(): Steps<Errno>;
  /** A mirror takes the place of mirrors. @kernel XE_VMA_OPS_FLAG_ALLOW_SVM_UNMAP */
  readonly keepsRanges?: boolean;
}

/** Binding takes the vm lock for write, so that no fault sees a mapping half changed. @kernel xe_vm */
export class DeviceVm implements VaHome {
  readonly gpuvm: GpuVm;
  readonly binder: VaBinder;
  /** One fault of the device at a time makes a mapping usable. */
  private readonly bindLock: Mutex;

  constructor(
    private readonly vm: SvmVm,
    readonly gpu: GpuHandle,
    arrays: PageArrayPool,
    moves: BoMoves,
  ) {
    const name = `gpuvm of ${vm.config.name} on gpu${gpu.index}`;
    const resvObject = resvObjectAlloc(new DmaResv(vm.kernel.sched, `reservation of ${name}`));
    const ops: GpuVmOps = {
      vmBoFree: ({ obj }) => this.forgetObject(obj),
      vmBoValidate: ({ obj }) => moves.validate(ownObject(obj)),
    };
    this.gpuvm = new GpuVm(name, { start: 0, end: TASK_SIZE_PAGES }, { resvObject, ops });
    // The VM has its own reference.
    resvObject.put();
    this.binder = new VaBinder(vm, gpu, arrays, moves);
    this.bindLock = new Mutex(vm.kernel.sched, `bind lock of ${name}`, bindLockClass);
  }

  /** The whole address space is a mirror from the start. */
  mirrorAll(): void {
    const place = { start: 0, end: TASK_SIZE_PAGES, obj: null, offset: 0 };
    const errno = this.gpuvm.insert(new DriverVa(place, 'mirror', null, this));
    assert(errno === Errno.OK, 'a new GPU address space is not empty');
  }

  /**
   * Errors: -EINVAL (no range of the VM, or beyond the object), -EOPNOTSUPP (of a device without a link: an object is made for its device's memory
   * alone), -EBUSY (a mirror there holds ranges), -ENOMEM (no page tables), -ENODEV. After an error everything is mapped as before.
   * @kernel DRM_XE_VM_BIND_OP_MAP, xe_dma_buf_attach
   */
  *bindBo(span: PageSpan, bo: VramBo, offset: number): Steps<BindResult> {
    const place: GpuVaPlace = { ...span, obj: bo, offset };
    if (offset < 0 || offset + (span.end - span.start) > bo.npages) return { errno: Errno.EINVAL, ops: [] };
    if (!this.gpu.reaches(bo.gpu)) return { errno: Errno.EOPNOTSUPP, ops: [] };
    // Its handle may be closed while locks are waited for.
    bo.get();
    const result = yield* this.change(this.mapping(place), span, 'bo');
    bo.put();
    return result;
  }

  /** Errors: as {@link bindBo}, and those of {@link tryPin}. @kernel DRM_XE_VM_BIND_OP_MAP_USERPTR */
  bindUserptr(span: PageSpan, userPage: Vpn): Steps<BindResult> {
    const place: GpuVaPlace = { ...span, obj: null, offset: userPage };
    const check = (): Steps<Errno> => this.tryPin(span, userPage);
    return this.change({ ...this.mapping(place), check }, span, 'userptr');
  }

  /**
   * Accesses there are faults on the same addresses of the process. Mirrors beside the span of which nothing was said, or around it, become one
   * with it, ranges and all; what was said of the span is forgotten. @kernel DRM_XE_VM_BIND_FLAG_CPU_ADDR_MIRROR
   */
  *bindMirror(span: PageSpan): Steps<BindResult> {
    // What is merged would hide it.
    if (span.start >= span.end) return { errno: Errno.EINVAL, ops: [] };
    return yield* this.underVmLock(() => {
      const merged = withMirrorsBeside(span, (page) => this.vaAt(page), this.said);
      const plan = this.mapping({ ...merged, obj: null, offset: 0 });
      return this.changeBy({ ...plan, keepsRanges: true }, merged, 'mirror');
    });
  }

  /** Accesses there find no memory: loads give zeros, stores go nowhere. Errors: as {@link bindBo}. @kernel DRM_XE_VM_BIND_FLAG_NULL */
  bindSparse(span: PageSpan): Steps<BindResult> {
    const place: GpuVaPlace = { ...span, obj: null, offset: 0 };
    return this.change(this.mapping(place), span, 'sparse');
  }

  /** All mappings of an object here go, wherever they are. Errors: -ENOMEM. @kernel DRM_XE_VM_BIND_OP_UNMAP_ALL */
  *unbindObject(bo: VramBo): Steps<BindResult> {
    bo.get();
    const result = yield* this.underVmLock(() => this.unbindObjectLocked(bo));
    bo.put();
    return result;
  }

  private *unbindObjectLocked(bo: VramBo): Steps<BindResult> {
    const lock = (exec: GpuVmExec): Steps<Errno> => exec.lockArray([bo]);
    yield* bo.resv.lock();
    const vmBo = this.gpuvm.findBo(bo);
    const list = vmBo === null ? null : this.gpuvm.splitMerge.boUnmapOpsCreate(vmBo);
    bo.resv.unlock();
    if (list === null) return { errno: Errno.OK, ops: [] };
    // The vm lock keeps mappings from coming and going meanwhile.
    return yield* this.changeBy({ lock, list: () => list }, { start: 0, end: TASK_SIZE_PAGES }, 'bo');
  }

  /** Errors: -EINVAL, -EBUSY. @kernel DRM_XE_VM_BIND_OP_UNMAP */
  unbind(span: PageSpan): Steps<BindResult> {
    return this.change(this.unmapping(span), span, 'mirror');
  }

  /** Splits mirrors at the ends of the span; nothing is unmapped. */
  splitForAdvice(span: PageSpan): Steps<BindResult> {
    return this.change(this.splitting(span), null, 'mirror');
  }

  /** Whether the device mirrors any addresses of the process. */
  hasMirror(): boolean {
    for (const va of this.gpuvm) if (own(va).kind === 'mirror') return true;
    return false;
  }

  /** Whether a program has bound anything in the span itself. */
  hasBound({ start, end }: PageSpan): boolean {
    for (const va of this.gpuvm.overlapping(start, end)) if (own(va).kind !== 'mirror') return true;
    return false;
  }

  /** As the device knows a page of the address space. */
  tagged(page: number): Vpn {
    return inSpace(this.vm.space, vpn(page));
  }

  /**
   * A kernel begins: of the objects that it may use, those that were evicted come back to their device's memory and are mapped again. What finds no
   * room stays in RAM until the kernel faults on it. @kernel xe_exec_ioctl, xe_vm_validate_rebind
   */
  *submit(): Steps<void> {
    this.touchObjects();
    if (this.gpuvm.evicted.size === 0) return;
    const { vmLock } = this.vm;
    yield* vmLock.read();
    const back = this.isOpen ? yield* this.validateEvicted() : [];
    // No mapping goes while the vm lock is held. One that cannot be bound now is left to the fault that comes.
    for (const va of back) yield* this.serveFault(va);
    vmLock.readUnlock();
  }

  /** The device mirrors the address space; once it has left, or the mirror is closed, the objects here are let go of. The vm lock is held. */
  get isOpen(): boolean {
    return !this.vm.closed && this.vm.deviceVms.get(this.gpu) === this;
  }

  /** The mappings of objects that came back; all objects are locked together meanwhile. @kernel xe_exec_fn */
  private *validateEvicted(): Steps<DriverVa[]> {
    const exec = new GpuVmExec(this.gpuvm);
    const locked = yield* exec.lock();
    assert(locked === Errno.OK, 'the objects of an address space can be locked');
    const wanted = this.gpuvm.evictedBos;
    const errno = yield* exec.validate();
    this.vm.kernel.sched.at(DriverStep.validated, this.gpu.index, this.gpuvm.evicted.size, errno);
    const back = wanted
      .filter(({ evicted }) => !evicted)
      .flatMap(({ vas }) => [...vas].map(own).filter((va) => va.isInvalidated));
    exec.unlock();
    return back;
  }

  /** @kernel ttm_lru_bulk_move_tail */
  private touchObjects(): void {
    for (const { obj } of this.gpuvm.allBos) if (obj instanceof VramBo) obj.gpu.lru.touch(obj);
  }

  /** The object's last mapping here is gone, its entries before it. The device keeps addresses of it for other processes only. */
  private forgetObject(obj: GemObject): void {
    const bo = ownObject(obj);
    const isMapped = [...bo.vmBos].some((vmBo) => [...vmBo.vas].some((va) => own(va).home.gpu === this.gpu));
    if (!isMapped) bo.detach(this.gpu);
  }

  /** The mapping that has the page. */
  vaAt(page: number): DriverVa | null {
    const va = this.gpuvm.findFirst(page, page + 1);
    return va === null ? null : own(va);
  }

  /** Whether the program has bound something there itself. */
  isBoundAt(page: number): boolean {
    return this.hasBound({ start: page, end: page + 1 });
  }

  /** Whether an object is bound somewhere in the span. */
  hasObject({ start, end }: PageSpan): boolean {
    return [...this.gpuvm.overlapping(start, end)].some((va) => own(va).bo !== null);
  }

  /** The mirrors in a span, cut at its ends. */
  mirrorsIn({ start, end }: PageSpan): PageSpan[] {
    const mirrors = [...this.gpuvm.overlapping(start, end)].filter((va) => own(va).kind === 'mirror');
    return mirrors.map((va) => ({ start: Math.max(va.start, start), end: Math.min(va.end, end) }));
  }

  /** In order of address. */
  vas(): DriverVa[] {
    const found: DriverVa[] = [];
    for (const va of this.gpuvm) found.push(own(va));
    return found;
  }

  /** The mapping at a page, or the gap between mappings: within it the device sees one thing. */
  spanAround(page: number): PageSpan {
    return this.gpuvm.findFirst(page, page + 1) ?? this.gpuvm.gapAround(page);
  }

  /** A fault on a mapping that is not a mirror; the vm lock is held for read. Errors: those of {@link VaBinder.bind}. @kernel handle_vma_pagefault */
  *serveFault(va: DriverVa): Steps<Errno> {
    yield* this.bindLock.lock();
    const errno = yield* this.binder.bind(va);
    this.bindLock.unlock();
    return errno;
  }

  /** The vm lock is held for write, and all entries are gone from the device. */
  *close(): Steps<void> {
    const whole = { start: 0, end: TASK_SIZE_PAGES };
    const exec = new GpuVmExec(this.gpuvm);
    const plan = this.unmapping(whole);
    const locked = yield* plan.lock(exec);
    const ops = plan.list();
    assert(locked === Errno.OK && typeof ops !== 'number', 'a GPU address space has no addresses');
    const { removed } = applyOps(this.gpuvm, ops, splitVa);
    ops.free();
    exec.unlock();
    for (const va of removed) yield* this.release(own(va));
    assert(this.gpuvm.allBos.length === 0, 'a closed GPU address space still knows an object');
    this.gpuvm.put();
  }

  private mapping(place: GpuVaPlace): BindPlan {
    return {
      lock: (exec) => exec.lockForMap(place),
      list: () => this.gpuvm.splitMerge.smMapOpsCreate(place),
    };
  }

  private unmapping({ start, end }: PageSpan): BindPlan {
    return {
      lock: (exec) => exec.lockForUnmap(start, end),
      list: () => this.gpuvm.splitMerge.smUnmapOpsCreate(start, end),
    };
  }

  /** Touches no object. */
  private splitting({ start, end }: PageSpan): BindPlan {
    return {
      lock: noLocks,
      list: () => this.gpuvm.splitMerge.madviseOpsCreate(start, end),
    };
  }

  /**
   * Errors: -EFAULT (no mapping, or no access), -EPERM (not writable), -ENOMEM, -EINVAL. By -EBUSY a bind says that something is in its way, for which
   * the program can wait or which it can take away; with pages that are invalidated again and again it can do neither. @kernel new_vma
   */
  private *tryPin(span: PageSpan, userPage: Vpn): Steps<Errno> {
    const probe = this.newUserptr(userPage, span.end - span.start, noEntries);
    let errno = yield* probe.register();
    if (errno === Errno.OK) errno = yield* probe.pin();
    yield* probe.unregister();
    return errno === Errno.EBUSY ? Errno.ENOMEM : errno;
  }

  /** `cut`: the pages that mappings lose; null where none do. */
  *change(plan: BindPlan, cut: PageSpan | null, kind: VaKind): Steps<BindResult> {
    return yield* this.underVmLock(() => this.changeBy(plan, cut, kind));
  }

  private *underVmLock(change: () => Steps<BindResult>): Steps<BindResult> {
    const errno = yield* this.vm.beginChange();
    if (errno !== Errno.OK) return { errno, ops: [] };
    // The device may have left while this waited; one that came back sees other mappings.
    const result = this.isOpen ? yield* change() : { errno: Errno.ENODEV, ops: [] };
    this.vm.vmLock.writeUnlock();
    return result;
  }

  /** The vm lock, which is held, keeps what the list says true until it is freed. */
  private *changeBy(plan: BindPlan, cut: PageSpan | null, kind: VaKind): Steps<BindResult> {
    if (cut !== null) this.at(DriverStep.vmBind, cut);
    const list = plan.list();
    const errno = typeof list === 'number' ? list : yield* this.carryOut(plan, list, cut, kind);
    if (typeof list !== 'number') list.free();
    else if (cut !== null) this.at(DriverStep.notListed, cut, list);
    if (cut !== null) this.at(DriverStep.vmBound, cut, errno);
    return { errno, ops: typeof list === 'number' || errno !== Errno.OK ? [] : [...list] };
  }

  private at(step: StepId, { start, end }: PageSpan, errno: Errno = Errno.OK): void {
    this.vm.kernel.sched.at(step, start, end - start, this.gpu.index, errno);
  }

  private *carryOut(plan: BindPlan, list: GpuVaOpList, cut: PageSpan | null, kind: VaKind): Steps<Errno> {
    const ops = [...list];
    if (cut !== null) {
      if (plan.keepsRanges === true ? this.splitsAdvised(cut) : this.cutsRanges(ops, cut)) return Errno.EBUSY;
      const checked = plan.check === undefined ? Errno.OK : yield* plan.check();
      if (checked !== Errno.OK) return checked;
      yield* this.vm.removeRangesAcross(cut);
      for (const va of goingOf(ops)) yield* this.zap(va, cut);
    }
    // So that an object whose handle is closed is still there if its mapping must come back.
    const held = goingOf(ops).flatMap(({ obj }) => (obj === null ? [] : [obj.get()]));
    const errno = yield* this.apply(plan, list, kind);
    for (const obj of held) obj.put();
    if (errno === Errno.OK && cut !== null) this.forgetAdvice(ops, cut);
    return errno;
  }

  /** All of it or, after an error, nothing. @kernel vm_bind_ioctl_ops_execute */
  private *apply(plan: BindPlan, list: GpuVaOpList, kind: VaKind): Steps<Errno> {
    const exec = new GpuVmExec(this.gpuvm);
    const locked = yield* plan.lock(exec);
    assert(locked === Errno.OK, 'a request that has a list of steps can be locked');
    const applied = applyOps(this.gpuvm, list, (place, from) => this.newVa(place, from, kind));
    // Pages of the process are looked for under mmap_lock, which comes before reservations.
    exec.unlock();
    for (const va of applied.removed) yield* this.release(own(va));
    for (const va of applied.added) {
      const errno = yield* this.activate(own(va));
      if (errno === Errno.OK) continue;
      yield* this.unwind(applied);
      return errno;
    }
    return Errno.OK;
  }

  /** The mappings are those from before; what they have lost of their entries they get with their next access. @kernel vm_bind_ioctl_ops_unwind */
  *unwind(applied: AppliedOps): Steps<void> {
    for (const va of applied.added.map(own)) {
      if (va.hasFixedEntries && va.bound) yield* this.binder.zap(va.start, va.end);
      yield* this.release(va);
    }
    const exec = new GpuVmExec(this.gpuvm);
    const objects = [...applied.added, ...applied.removed].flatMap(({ obj }) => (obj === null ? [] : [obj]));
    const locked = yield* exec.lockArray(objects);
    assert(locked === Errno.OK, 'objects of mappings can be locked');
    undoOps(this.gpuvm, applied);
    for (const va of applied.removed) this.markEvicted(va);
    exec.unlock();
    for (const { userptr } of applied.removed.map(own)) if (userptr !== null) yield* userptr.register();
  }

  /** What the VM knew of an object went with its last mapping. Its reservation is held. */
  private markEvicted({ obj, vmBo }: GpuVa): void {
    if (obj !== null && vmBo !== null && !ownObject(obj).memory.isVram) this.gpuvm.setEvicted(vmBo, true);
  }

  /** A mirror may not lose pages for which it has ranges. @kernel xe_svm_has_mapping */
  private cutsRanges(ops: readonly GpuVaOp[], cut: PageSpan): boolean {
    return goingOf(ops).some((va) => {
      if (va.kind !== 'mirror') return false;
      return this.vm.hasRangeOf(this.gpu, Math.max(va.start, cut.start), Math.min(va.end, cut.end));
    });
  }

  /** Of what was said of a mirror a part would go whose pages have ranges. */
  private splitsAdvised(cut: PageSpan): boolean {
    return advisedAcross(cut, this.said).some(({ start, end }) => this.vm.hasRangeOf(this.gpu, start, end));
  }

  /** What was said belongs to the mirror, and goes with it. @kernel xe_vma_mem_attr */
  private forgetAdvice(ops: readonly GpuVaOp[], cut: PageSpan): void {
    for (const { kind, start, end } of goingOf(ops))
      if (kind === 'mirror') this.said?.reset(vpn(Math.max(start, cut.start)), vpn(Math.min(end, cut.end)));
  }

  /** What the process has said to this device. */
  private get said(): XeMadvise | null {
    return this.vm.attributes?.mirrors[this.gpu.index] ?? null;
  }

  /** What stays of an object's mapping keeps its entries; the process's pages get new notifiers, so all of their entries go. */
  *zap(va: DriverVa, cut: PageSpan): Steps<void> {
    if (!va.hasFixedEntries || !va.bound) return;
    yield* this.binder.zap(Math.max(va.start, cut.start), Math.min(va.end, cut.end));
  }

  private newVa(place: GpuVaPlace, from: GpuVa | null, kind: VaKind): DriverVa {
    if (from !== null) return this.partOf(own(from), place);
    return kind === 'userptr' ? this.newUserptrVa(place) : new DriverVa(place, kind, null, this);
  }

  private partOf(from: DriverVa, place: GpuVaPlace): DriverVa {
    if (from.kind === 'userptr') return this.newUserptrVa(place);
    const va = new DriverVa(place, from.kind, null, this);
    va.bound = from.bound;
    va.flags = from.flags;
    return va;
  }

  private newUserptrVa(place: GpuVaPlace): DriverVa {
    const unbind = (): Steps<void> => this.unbindVa(va);
    const userptr = this.newUserptr(vpn(place.offset), place.end - place.start, unbind);
    const va: DriverVa = new DriverVa(place, 'userptr', userptr, this);
    return va;
  }

  private *unbindVa(va: DriverVa): Steps<void> {
    if (!va.bound) return;
    va.bound = false;
    yield* this.binder.zap(va.start, va.end);
  }

  newUserptr(page: Vpn, npages: number, unbind: () => Steps<void>): Userptr {
    return new Userptr(this.vm, this.gpu, page, npages, unbind);
  }

  /** Errors: -ENOMEM, -ENODEV, no page tables. That the process's pages cannot be had is left to the first access, which reports it. */
  private *activate(va: DriverVa): Steps<Errno> {
    const { userptr } = va;
    if (va.kind === 'mirror' || va.bound) return Errno.OK;
    if (userptr !== null) yield* userptr.register();
    const errno = yield* this.binder.bind(va);
    return userptr === null || userptr.isPinned ? errno : Errno.OK;
  }

  private *release(va: DriverVa): Steps<void> {
    if (va.userptr !== null) yield* va.userptr.unregister();
    va.bound = false;
  }
}

function* noEntries(): Steps<void> {}

function* noLocks(): Steps<Errno> {
  return Errno.OK;
}

/** The mappings that steps take out, wholly or in part. */
function goingOf(ops: readonly GpuVaOp[]): DriverVa[] {
  return ops.flatMap((op) =>
    op.op === 'unmap' ? [own(op.va)] : op.op === 'remap' ? [own(op.unmap.va)] : [],
  );
}

function splitVa(): never {
  throw new Error('nothing is split when all goes');
}

/** Every object that is mapped was made by this driver. */
function ownObject(obj: GemObject): VramBo {
  assert(obj instanceof VramBo, 'an object of another driver');
  return obj;
}
