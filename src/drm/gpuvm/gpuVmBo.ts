/** What one VM knows of one buffer object: its mappings there, and whether it is external or evicted. */

import { assert } from '../../base/assert.js';
import type { GemObject } from './gemObject.js';
import type { GpuVa } from './gpuVa.js';
import type { GpuVm } from './gpuVm.js';

/** Unique for its VM and object. Each linked mapping holds a reference; it holds one to the object. @kernel drm_gpuvm_bo */
export class GpuVmBo {
  private refs = 1;
  /** Linked mappings. @kernel drm_gpuvm_bo.list.gpuva */
  readonly vas = new Set<GpuVa>();
  /** The object's memory was taken away and must be validated before the GPU may use it. */
  evicted = false;

  constructor(
    readonly vm: GpuVm,
    readonly obj: GemObject,
  ) {
    obj.get();
    obj.vmBos.add(this);
  }

  get refCount(): number {
    return this.refs;
  }

  /** The object does not share the VM's reservation. @kernel drm_gpuvm_is_extobj */
  get isExternal(): boolean {
    return this.obj.resv !== this.vm.resv;
  }

  /** @kernel drm_gpuvm_bo_get */
  get(): this {
    assert(this.refs > 0, 'a VM object that is gone is taken again');
    this.refs++;
    return this;
  }

  /** Leaves all lists when the last reference goes. @kernel drm_gpuvm_bo_put, drm_gpuvm_bo_destroy */
  put(): void {
    assert(this.refs > 0, 'a VM object is put too often');
    this.refs--;
    if (this.refs > 0) return;
    assert(this.vas.size === 0, 'a VM object is freed while mappings are linked to it');
    this.vm.forget(this);
    this.obj.vmBos.delete(this);
    this.obj.put();
  }
}
