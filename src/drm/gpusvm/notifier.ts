/** An aligned window of the address space with one interval notifier for all ranges inside. */

import { assert } from '../../base/assert.js';
import type { IntervalNode } from '../../base/intervalTree.js';
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
  private held = 0;
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

  /** Ranges in the window. */
  get rangeCount(): number {
    return this.held;
  }

  /**
   * The gpusvm has one tree for the ranges of all windows, so that a fault's page leads to its range at once; the window's are those of its span. Under
   * the driver's lock and the notifier lock; look-ups under either. @kernel drm_gpusvm_notifier.root, drm_gpusvm_notifier.range_list
   */
  insertRange(range: GpuSvmRange): void {
    assert(range.node === null, 'range is inserted twice');
    range.node = this.gpusvm.ranges.insert(range.start, range.end, range);
    this.held++;
  }

  /** As {@link insertRange}. */
  removeRange(range: GpuSvmRange): void {
    assert(range.node !== null, 'range is removed twice');
    this.gpusvm.ranges.remove(range.node);
    range.node = null;
    this.held--;
  }

  /** Callbacks may come from the interval's insertion on, before the window is in the gpusvm's tree. @kernel drm_gpusvm_notifier_ops */
  invalidate(_sub: IntervalNotifier, event: NotifierRange, curSeq: number): Steps<boolean> {
    return this.gpusvm.notifierInvalidate(this, event, curSeq);
  }

  /** The first range of the window that has a page of the half-open span, or null. @kernel drm_gpusvm_range_find */
  rangeFind(start: Vpn, end: number): GpuSvmRange | null {
    const from = Math.max(start, this.start);
    const to = Math.min(end, this.end);
    return from < to ? this.gpusvm.ranges.firstValue(from, to) : null;
  }

  /** The range that contains the page, or null. */
  findRange(page: Vpn): GpuSvmRange | null {
    return this.rangeFind(page, page + 1);
  }

  /** Ranges of the window that overlap the half-open span, in order of address. @kernel drm_gpusvm_for_each_range, __drm_gpusvm_range_next */
  rangesIn(start: number, end: number): IterableIterator<GpuSvmRange> {
    return this.gpusvm.rangesIn(Math.max(start, this.start), Math.min(end, this.end));
  }

  /** The same for who removes the range at hand. @kernel drm_gpusvm_for_each_range_safe */
  rangesInSafe(start: number, end: number): IterableIterator<GpuSvmRange> {
    return this.gpusvm.rangesInSafe(Math.max(start, this.start), Math.min(end, this.end));
  }
}
