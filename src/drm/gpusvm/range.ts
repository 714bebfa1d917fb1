/** A span of the CPU's address space that is migrated, mapped and invalidated as one. */

import type { IntervalNode } from '../../base/intervalTree.js';
import type { Vpn } from '../../base/units.js';
import type { GpuSvmNotifier } from './notifier.js';

/** Power-of-two sized and aligned; inside one notifier. @kernel drm_gpusvm_range */
export class GpuSvmRange {
  refs = 1;
  node: IntervalNode<GpuSvmRange> | null = null;
  /** Set under the notifier lock for write and never cleared: the range must be removed before its span can fault again. */
  unmapped = false;
  /** The span was unmapped in part only. */
  partialUnmap = false;

  constructor(
    readonly notifier: GpuSvmNotifier,
    readonly start: Vpn,
    /** One past the last page. */
    readonly end: Vpn,
    /** The area is anonymous and the driver wants its pages in device memory. @kernel migrate_devmem */
    readonly migrateDevmem: boolean,
  ) {}

  get npages(): number {
    return this.end - this.start;
  }
}
