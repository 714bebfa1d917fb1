/** A span of the CPU's address space that is migrated, mapped and invalidated as one. */

import type { IntervalNode } from '../../base/intervalTree.js';
import type { Vpn } from '../../base/units.js';
import type { GpuSvm } from './gpusvm.js';
import type { GpuSvmNotifier } from './notifier.js';

/** Power-of-two sized and aligned; inside one notifier. @kernel drm_gpusvm_range, drm_gpusvm_range_flags */
export class GpuSvmRange {
  /** References: one of the tree, one of each who looks at it outside the driver's lock. @kernel drm_gpusvm_range.refcount */
  refs = 1;
  /** In its notifier's tree until it is removed. @kernel drm_gpusvm_range.itree, drm_gpusvm_range.entry, to_drm_gpusvm_range */
  node: IntervalNode<GpuSvmRange> | null = null;
  /**
   * Set under the notifier lock for write and never cleared: the range must be removed before its span can fault again.
   * @kernel drm_gpusvm_range_flags.unmapped
   */
  unmapped = false;
  /** The span was unmapped in part only. @kernel drm_gpusvm_range_flags.partial_unmap */
  partialUnmap = false;

  constructor(
    /** Whose window it lies in. @kernel drm_gpusvm_range.notifier */
    readonly notifier: GpuSvmNotifier,
    /** First page. @kernel drm_gpusvm_range_start */
    readonly start: Vpn,
    /** One past the last page. @kernel drm_gpusvm_range_end */
    readonly end: Vpn,
    /** The area is anonymous and the driver wants its pages in device memory. @kernel drm_gpusvm_range_flags.migrate_devmem */
    readonly migrateDevmem: boolean,
  ) {}

  /** The mirror. @kernel drm_gpusvm_range.gpusvm */
  get gpusvm(): GpuSvm {
    return this.notifier.gpusvm;
  }

  /** Pages of the range. @kernel drm_gpusvm_range_size, npages_in_range */
  get npages(): number {
    return this.end - this.start;
  }
}
