/** What a submission to a GPU does with its address space: locks all objects, brings back those that were evicted, and leaves its fence with them. */

import { Errno } from '../../base/errno.js';
import type { Steps } from '../../sim/steps.js';
import type { DmaFence } from '../dmaFence.js';
import { DmaResv, type DmaResvUsage } from '../exec/dmaResv.js';
import { DrmExec, DrmExecFlag } from '../exec/drmExec.js';
import type { GemObject } from './gemObject.js';
import type { GpuVaPlace } from './gpuVa.js';
import type { GpuVaOp } from './gpuVaOps.js';
import type { GpuVm } from './gpuVm.js';
import type { GpuVmBo } from './gpuVmBo.js';
import type { GpuVmOps } from './gpuVmOps.js';

export interface GpuVmExecOptions {
  /** Fences that each object has room for afterwards. */
  readonly numFences?: number;
  /** Of {@link DrmExecFlag}. */
  readonly flags?: number;
  /** Locks what else the driver wants. @kernel drm_gpuvm_exec.extra */
  readonly extra?: (exec: GpuVmExec) => Steps<Errno>;
}

/** One for each submission. @kernel drm_gpuvm_exec */
export class GpuVmExec {
  readonly exec: DrmExec;
  readonly numFences: number;
  private readonly extra: ((exec: GpuVmExec) => Steps<Errno>) | null;

  constructor(
    readonly vm: GpuVm,
    { numFences = 0, flags = DrmExecFlag.IgnoreDuplicates, extra }: GpuVmExecOptions = {},
  ) {
    this.exec = new DrmExec(flags);
    this.numFences = numFences;
    this.extra = extra ?? null;
  }

  /** The VM's reservation, all external objects, and what the driver adds. Nothing is locked after an error. @kernel drm_gpuvm_exec_lock */
  lock(): Steps<Errno> {
    return this.lockAll(this.extra);
  }

  /** And these objects. @kernel drm_gpuvm_exec_lock_array, fn_lock_array */
  lockArray(objects: readonly GemObject[]): Steps<Errno> {
    return this.lockAll(() => this.exec.prepareArray(objects, this.numFences));
  }

  /** Only what is mapped in the span. @kernel drm_gpuvm_exec_lock_range */
  lockRange(start: number, end: number): Steps<Errno> {
    return this.until(() => this.prepareRange(start, end));
  }

  /** All that a request to map touches: what it maps, then what it takes mappings from. @kernel drm_gpuvm_sm_map_exec_lock */
  lockForMap(request: GpuVaPlace): Steps<Errno> {
    return this.until(() => this.lockMap(request));
  }

  /** All that a request to unmap takes mappings from. @kernel drm_gpuvm_sm_unmap_exec_lock */
  lockForUnmap(start: number, end: number): Steps<Errno> {
    return this.until(() => this.lockSteps((step) => this.vm.splitMerge.unmap(start, end, step)));
  }

  /** Releases all that was locked. @kernel drm_gpuvm_exec_unlock */
  unlock(): void {
    this.exec.fini();
  }

  /** Locks the VM's own reservation, and so all objects that only it can map. @kernel drm_gpuvm_prepare_vm */
  prepareVm(): Steps<Errno> {
    return this.prepareObj(this.vm.resvObject);
  }

  /** Locks all external objects. @kernel drm_gpuvm_prepare_objects, __drm_gpuvm_prepare_objects */
  prepareObjects(): Steps<Errno> {
    const { vm } = this;
    return vm.isResvProtected
      ? this.prepareObjectsLocked()
      : vm.external.visit(({ obj }) => this.prepareObj(obj));
  }

  /** Those that were evicted come on the list only now. @kernel drm_gpuvm_prepare_objects_locked */
  *prepareObjectsLocked(): Steps<Errno> {
    const { vm } = this;
    vm.resv.assertHeld();
    for (const vmBo of [...vm.external]) {
      if (vmBo.isZombie) continue;
      const errno = yield* this.prepareObj(vmBo.obj);
      if (errno !== Errno.OK) return errno;
      if (vmBo.evicted) vm.evicted.add(vmBo);
    }
    return Errno.OK;
  }

  /** Locks the objects that are mapped in a span. @kernel drm_gpuvm_prepare_range */
  *prepareRange(start: number, end: number): Steps<Errno> {
    for (const { obj } of this.vm.overlapping(start, end)) {
      const errno = obj === null ? Errno.OK : yield* this.prepareObj(obj);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /**
   * Brings the memory of all evicted objects back; all reservations are held. Stops at the first error, and what is left stays on the list. Errors:
   * -EOPNOTSUPP, the driver cannot; the driver's. @kernel drm_gpuvm_validate
   */
  *validate(): Steps<Errno> {
    const { vm } = this;
    const { ops } = vm;
    if (ops.vmBoValidate === undefined) return Errno.EOPNOTSUPP;
    const validateBo = ops.vmBoValidate.bind(ops);
    if (vm.isResvProtected) return yield* this.validateLocked(validateBo);
    return yield* vm.evicted.visit((vmBo) => validateBo(vmBo, this.exec));
  }

  /** As {@link validate}, where the VM's reservation guards the list, which is held. @kernel drm_gpuvm_validate_locked */
  *validateLocked(validateBo: NonNullable<GpuVmOps['vmBoValidate']>): Steps<Errno> {
    const { vm } = this;
    vm.resv.assertHeld();
    for (const vmBo of [...vm.evicted]) {
      if (vmBo.isZombie) continue;
      const errno = yield* validateBo(vmBo, this.exec);
      if (errno !== Errno.OK) return errno;
      this.settleValidated(vmBo);
    }
    return Errno.OK;
  }

  /** All that is locked gets the fence: objects that only this VM can map as one usage, the others as another. @kernel drm_gpuvm_resv_add_fence, drm_gpuvm_exec_resv_add_fence */
  resvAddFence(fence: DmaFence, privateUsage: DmaResvUsage, extobjUsage: DmaResvUsage): void {
    for (const obj of this.exec.lockedObjects) {
      obj.resv.assertHeld();
      const usage = this.vm.isExternal(obj) ? extobjUsage : privateUsage;
      if (obj.resv instanceof DmaResv) obj.resv.addFence(fence, usage);
    }
  }

  private settleValidated(vmBo: GpuVmBo): void {
    vmBo.obj.resv.assertHeld();
    if (!vmBo.evicted) this.vm.evicted.delete(vmBo);
  }

  private lockAll(extra: ((exec: GpuVmExec) => Steps<Errno>) | null): Steps<Errno> {
    return this.until(() => this.prepareAll(extra));
  }

  private *prepareAll(extra: ((exec: GpuVmExec) => Steps<Errno>) | null): Steps<Errno> {
    let errno = yield* this.prepareVm();
    if (errno === Errno.OK) errno = yield* this.prepareObjects();
    if (errno === Errno.OK && extra !== null) errno = yield* extra(this);
    return errno;
  }

  private *until(lock: () => Steps<Errno>): Steps<Errno> {
    const errno = yield* this.exec.untilAllLocked(lock);
    if (errno !== Errno.OK) this.exec.fini();
    return errno;
  }

  private *lockMap(request: GpuVaPlace): Steps<Errno> {
    const { obj } = request;
    const errno = obj === null ? Errno.OK : yield* this.exec.prepareObj(obj, this.numFences);
    if (errno !== Errno.OK) return errno;
    return yield* this.lockSteps((step) => this.vm.splitMerge.map(request, step));
  }

  /** Runs the steps without doing them. @kernel drm_gpuva_sm_step_lock */
  private *lockSteps(run: (step: (op: GpuVaOp) => Errno) => Errno): Steps<Errno> {
    const objects = new Set<GemObject>();
    const errno = run((op) => {
      const obj = op.op === 'remap' ? op.unmap.va.obj : op.op === 'unmap' ? op.va.obj : null;
      if (obj !== null) objects.add(obj);
      return Errno.OK;
    });
    if (errno !== Errno.OK) return errno;
    for (const obj of objects) {
      const locked = yield* this.exec.lockObj(obj);
      if (locked !== Errno.OK) return locked;
    }
    return Errno.OK;
  }

  /** Locks it, with room for the fences that were asked for. @kernel exec_prepare_obj */
  private prepareObj(obj: GemObject): Steps<Errno> {
    return this.numFences > 0 ? this.exec.prepareObj(obj, this.numFences) : this.exec.lockObj(obj);
  }
}
