/** A buffer object as the GPU VM manager sees it: something with pages, that may be mapped in several VMs. */

import { assert } from '../../base/assert.js';
import type { Steps } from '../../sim/steps.js';
import type { Reservation } from '../exec/dmaResv.js';
import type { GpuVmBo } from './gpuVmBo.js';

/** Guards an object's lists of mappings in VMs that change them while a fence is awaited. @kernel drm_gem_object.gpuva.lock */
export interface GpuVaListLock {
  lock(): Steps<void>;
  unlock(): void;
  assertHeld(): void;
}

/** Any object may be mapped by hand. @kernel drm_gem_object, drm_gem_gpuva_init, DRIVER_GEM_GPUVA */
export class GemObject {
  private refs = 1;
  /** One for each VM that has mappings of the object. @kernel gpuva.list, drm_gem_for_each_gpuvm_bo, drm_gem_for_each_gpuva, drm_gem_for_each_gpuva_safe */
  readonly vmBos = new Set<GpuVmBo>();
  /** Null where no VM of the object needs one. @kernel drm_gem_gpuva_set_lock, drm_gpuva_manager_set_ext_lock */
  gpuvaLock: GpuVaListLock | null = null;

  constructor(
    readonly name: string,
    readonly npages: number,
    readonly resv: Reservation,
  ) {
    assert(npages >= 0, 'a buffer object of fewer pages than none');
  }

  get refCount(): number {
    return this.refs;
  }

  /**
   * Whoever looks at the object's lists of mappings, or changes them, has the reservation, or the list lock where the VM changes mappings in
   * the path of fences. @kernel drm_gem_gpuva_assert_lock_held, drm_gpuva_manager_ext_assert_held
   */
  assertGpuvaLockHeld(immediateMode: boolean): void {
    if (!immediateMode) {
      this.resv.assertHeld();
      return;
    }
    assert(this.gpuvaLock !== null, 'an object without a list lock is mapped in the path of fences');
    this.gpuvaLock.assertHeld();
  }

  /** One more reference. @kernel drm_gem_object_get */
  get(): this {
    assert(this.refs > 0, 'a freed buffer object is taken again');
    this.refs++;
    return this;
  }

  /** Drops a reference; the last one frees the object, which no VM may know any more. @kernel drm_gem_object_put */
  put(): void {
    assert(this.refs > 0, 'a buffer object is put too often');
    this.refs--;
    if (this.refs > 0) return;
    assert(this.vmBos.size === 0, 'a buffer object is freed while a VM knows it');
    this.free();
  }

  /** The last reference is gone: the driver gives the memory back. @kernel drm_gem_object_funcs.free */
  protected free(): void {}
}
