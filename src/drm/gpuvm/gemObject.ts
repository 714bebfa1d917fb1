/** A buffer object as the GPU VM manager sees it: something with pages, that may be mapped in several VMs. */

import { assert } from '../../base/assert.js';
import type { GpuVmBo } from './gpuVmBo.js';

/** What guards an object: objects that share a VM's reservation are private to that VM. @kernel dma_resv */
export interface Reservation {
  readonly name: string;
}

/** @kernel drm_gem_object */
export class GemObject {
  private refs = 1;
  /** One for each VM that has mappings of the object. @kernel gpuva.list */
  readonly vmBos = new Set<GpuVmBo>();

  constructor(
    readonly name: string,
    readonly npages: number,
    readonly resv: Reservation,
  ) {
    assert(npages > 0, 'a buffer object without pages');
  }

  get refCount(): number {
    return this.refs;
  }

  /** @kernel drm_gem_object_get */
  get(): this {
    assert(this.refs > 0, 'a freed buffer object is taken again');
    this.refs++;
    return this;
  }

  /** @kernel drm_gem_object_put */
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
