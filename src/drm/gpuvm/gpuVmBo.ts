/** What one VM knows of one buffer object: its mappings there, and whether it is external or evicted. */

import { assert } from '../../base/assert.js';
import type { Steps } from '../../sim/steps.js';
import type { GemObject } from './gemObject.js';
import type { GpuVa } from './gpuVa.js';
import type { GpuVm } from './gpuVm.js';

/** Unique for its VM and object. Each linked mapping holds a reference; it holds one to the object and one to the VM. @kernel drm_gpuvm_bo */
export class GpuVmBo {
  private refs = 1;
  /** Linked mappings. @kernel drm_gpuvm_bo.list.gpuva, drm_gpuvm_bo_for_each_va, drm_gpuvm_bo_for_each_va_safe */
  readonly vas = new Set<GpuVa>();
  /** The object's memory was taken away and must be validated before the GPU may use it. */
  evicted = false;

  /** Not yet on the object's list. @kernel drm_gpuvm_bo_create */
  constructor(
    readonly vm: GpuVm,
    readonly obj: GemObject,
  ) {
    vm.get();
    obj.get();
  }

  get refCount(): number {
    return this.refs;
  }

  /** Nobody has it any more, but it is not yet freed. @kernel drm_gpuvm_bo_is_zombie */
  get isZombie(): boolean {
    return this.refs === 0;
  }

  /** The object does not share the VM's reservation. @kernel drm_gpuvm_is_extobj */
  get isExternal(): boolean {
    return this.vm.isExternal(this.obj);
  }

  /** One more reference; it must not be gone. @kernel drm_gpuvm_bo_get */
  get(): this {
    assert(this.refs > 0, 'a VM object that is gone is taken again');
    this.refs++;
    return this;
  }

  /** For whoever finds it on a list, where it may be although it is gone. @kernel kref_get_unless_zero */
  getUnlessZero(): boolean {
    if (this.refs === 0) return false;
    this.refs++;
    return true;
  }

  /** With the last reference it is freed, under the lock of the object's list. Whether it was. @kernel drm_gpuvm_bo_put */
  put(): boolean {
    this.drop();
    if (this.refs > 0) return false;
    this.vm.destroyBo(this);
    return true;
  }

  /**
   * In the path of fences, where nothing may be freed: with the last reference it leaves the object's list, and waits for the VM's
   * `deferredCleanup`. Takes the object's list lock itself. Whether it was the last one. @kernel drm_gpuvm_bo_put_deferred
   */
  *putDeferred(): Steps<boolean> {
    assert(this.vm.isImmediate, 'only a VM in immediate mode defers what it frees');
    if (this.refs > 1) {
      this.drop();
      return false;
    }
    const { gpuvaLock } = this.obj;
    assert(gpuvaLock !== null, 'an object without a list lock is mapped in the path of fences');
    yield* gpuvaLock.lock();
    const last = this.dropDeferred();
    gpuvaLock.unlock();
    if (last) this.vm.deferCleanup(this);
    return last;
  }

  /**
   * The part of {@link putDeferred} under the object's list lock: whether it was the last reference, after which the caller must hand it to the VM's
   * `deferCleanup`, when it has let go of the lock: whoever cleans up may free the object, and the lock with it.
   */
  dropDeferred(): boolean {
    this.drop();
    if (this.refs > 0) return false;
    this.vm.makeZombie(this);
    return true;
  }

  /** A second one that lost against one that was there already; it was never on a list. @kernel drm_gpuvm_bo_destroy_not_in_lists */
  discard(): void {
    this.drop();
    assert(this.refs === 0, 'a discarded VM object is used');
    this.vm.releaseBo(this);
  }

  private drop(): void {
    assert(this.refs > 0, 'a VM object is put too often');
    this.refs--;
    assert(this.refs > 0 || this.vas.size === 0, 'a VM object is freed while mappings are linked to it');
  }
}
