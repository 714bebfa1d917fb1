/** A list of a VM's objects that may change while somebody who sleeps goes through it. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Steps } from '../../sim/steps.js';
import type { GpuVmBo } from './gpuVmBo.js';

/**
 * Holds no references. Whoever goes through it takes one object after another to a list of its own, from where they are put back at the end: what is
 * removed meanwhile is found on either. Only one at a time may go through it. @kernel drm_gpuvm.extobj, drm_gpuvm.evict
 */
export class GpuVmBoList implements Iterable<GpuVmBo> {
  private waiting = new Set<GpuVmBo>();
  /** Those that have been visited. @kernel local_list */
  private visited: Set<GpuVmBo> | null = null;

  get size(): number {
    return this.waiting.size + (this.visited?.size ?? 0);
  }

  has(vmBo: GpuVmBo): boolean {
    return this.waiting.has(vmBo) || this.visited?.has(vmBo) === true;
  }

  /** At the end, unless it is there. @kernel drm_gpuvm_bo_list_add */
  add(vmBo: GpuVmBo): void {
    if (!this.has(vmBo)) this.waiting.add(vmBo);
  }

  /** Nothing to do where it is not there. @kernel drm_gpuvm_bo_list_del_init, drm_gpuvm_bo_list_del */
  delete(vmBo: GpuVmBo): void {
    this.waiting.delete(vmBo);
    this.visited?.delete(vmBo);
  }

  *[Symbol.iterator](): Generator<GpuVmBo, void, void> {
    if (this.visited !== null) yield* this.visited;
    yield* this.waiting;
  }

  /** Until the first error. Each object has a reference while it is visited; those that nobody holds any more are left out. @kernel for_each_vm_bo_in_list */
  *visit(step: (vmBo: GpuVmBo) => Steps<Errno>): Steps<Errno> {
    assert(this.visited === null, 'two go through a list of objects at a time');
    this.visited = new Set();
    let errno: Errno = Errno.OK;
    for (let vmBo = this.takeNext(); vmBo !== null && errno === Errno.OK; ) {
      errno = yield* step(vmBo);
      vmBo.put();
      vmBo = errno === Errno.OK ? this.takeNext() : null;
    }
    this.restore();
    return errno;
  }

  /** The first that somebody still holds, with a reference; null at the end. @kernel get_next_vm_bo_from_list */
  private takeNext(): GpuVmBo | null {
    for (const vmBo of this.waiting) {
      this.waiting.delete(vmBo);
      if (!vmBo.getUnlessZero()) continue;
      this.visited?.add(vmBo);
      return vmBo;
    }
    return null;
  }

  /** In front of those that came meanwhile. @kernel restore_vm_bo_list */
  private restore(): void {
    this.waiting = new Set([...(this.visited ?? []), ...this.waiting]);
    this.visited = null;
  }
}
