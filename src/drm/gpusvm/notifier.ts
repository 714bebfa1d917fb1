/** An aligned window of the address space with one interval notifier for all ranges inside. */

import type { IntervalNode } from '../../base/intervalTree.js';
import { IntervalTree } from '../../base/intervalTree.js';
import type { Vpn } from '../../base/units.js';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  type NotifierRange,
} from '../../mm/mirror/mmuNotifier.js';
import type { Steps } from '../../sim/steps.js';
import type { GpuSvm } from './gpusvm.js';
import type { GpuSvmRange } from './range.js';

/** One interval notifier for all ranges of a window. @kernel drm_gpusvm_notifier */
export class GpuSvmNotifier implements IntervalNotifierOps {
  /** What the address space calls. @kernel drm_gpusvm_notifier.notifier */
  readonly interval: IntervalNotifier;
  /**
   * Changed under the driver's lock and the notifier lock; read under either.
   * @kernel drm_gpusvm_notifier.root, drm_gpusvm_notifier.range_list
   */
  readonly ranges = new IntervalTree<GpuSvmRange>();
  /** In the gpusvm's tree while it has ranges. @kernel drm_gpusvm_notifier.itree, drm_gpusvm_notifier.entry, to_drm_gpusvm_notifier */
  node: IntervalNode<GpuSvmNotifier> | null = null;
  /** The interval is out already; the last range must not remove it again. @kernel drm_gpusvm_notifier.flags.removed */
  removed = false;

  constructor(
    /** The mirror. @kernel drm_gpusvm_notifier.gpusvm */
    readonly gpusvm: GpuSvm,
    /** First page. @kernel drm_gpusvm_notifier_start */
    readonly start: Vpn,
    /** One past the last page. @kernel drm_gpusvm_notifier_end */
    readonly end: Vpn,
  ) {
    this.interval = new IntervalNotifier(start, end, this);
  }

  /** Pages of the window. @kernel drm_gpusvm_notifier_size */
  get npages(): number {
    return this.end - this.start;
  }

  /** Callbacks may come from the interval's insertion on, before the window is in the gpusvm's tree. @kernel drm_gpusvm_notifier_ops */
  invalidate(_sub: IntervalNotifier, event: NotifierRange, curSeq: number): Steps<boolean> {
    return this.gpusvm.notifierInvalidate(this, event, curSeq);
  }

  /** The first range that has a page of the half-open span, or null. @kernel drm_gpusvm_range_find */
  rangeFind(start: Vpn, end: number): GpuSvmRange | null {
    return this.ranges.firstValue(start, end);
  }

  /** The range that contains the page, or null. */
  findRange(page: Vpn): GpuSvmRange | null {
    return this.rangeFind(page, page + 1);
  }

  /** Ranges that overlap the half-open span, in order of address. @kernel drm_gpusvm_for_each_range, __drm_gpusvm_range_next */
  *rangesIn(start: number, end: number): IterableIterator<GpuSvmRange> {
    for (
      let node = this.ranges.firstOverlap(start, end);
      node !== null;
      node = this.ranges.nextOverlap(node, start, end)
    ) {
      yield node.value;
    }
  }

  /** The same for who removes the range at hand. @kernel drm_gpusvm_for_each_range_safe */
  *rangesInSafe(start: number, end: number): IterableIterator<GpuSvmRange> {
    let node = this.ranges.firstOverlap(start, end);
    while (node !== null) {
      const next = this.ranges.nextOverlap(node, start, end);
      yield node.value;
      node = next;
    }
  }
}
