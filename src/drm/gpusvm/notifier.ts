/** An aligned window of the address space with one interval notifier for all ranges inside. */

import type { IntervalNode } from '../../base/intervalTree.js';
import { IntervalTree } from '../../base/intervalTree.js';
import type { Vpn } from '../../base/units.js';
import { IntervalNotifier, type IntervalNotifierOps } from '../../mm/mirror/mmuNotifier.js';
import type { GpuSvm } from './gpusvm.js';
import type { GpuSvmRange } from './range.js';

/** @kernel drm_gpusvm_notifier */
export class GpuSvmNotifier {
  readonly interval: IntervalNotifier;
  /** Changed under the driver's lock and the notifier lock for write; read under either. */
  readonly ranges = new IntervalTree<GpuSvmRange>();
  node: IntervalNode<GpuSvmNotifier> | null = null;
  /** The interval is out already; the last range must not remove it again. @kernel flags.removed */
  removed = false;

  constructor(
    readonly gpusvm: GpuSvm,
    readonly start: Vpn,
    readonly end: Vpn,
    ops: IntervalNotifierOps,
  ) {
    this.interval = new IntervalNotifier(start, end, ops);
  }

  /** The range that contains the page, or null. @kernel drm_gpusvm_range_find */
  findRange(page: Vpn): GpuSvmRange | null {
    return this.ranges.firstValue(page, page + 1);
  }

  /** Ranges that overlap the half-open span, in order of address. @kernel drm_gpusvm_for_each_range */
  *rangesIn(start: number, end: number): IterableIterator<GpuSvmRange> {
    for (
      let node = this.ranges.firstOverlap(start, end);
      node !== null;
      node = this.ranges.nextOverlap(node, start, end)
    ) {
      yield node.value;
    }
  }
}
