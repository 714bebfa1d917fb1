/** The driver's invalidation callback, in two passes: zap all translations, flush the TLBs once, then end DMA. */

import { assert } from '../base/assert.js';
import type { Vpn } from '../base/units.js';
import type { TlbInvalidation } from '../device/gpuPort.js';
import { inSpace } from '../device/gpuSpace.js';
import { defaultContext, type GpuSvm, type GpuSvmContext, type GpuSvmOps } from '../drm/gpusvm/gpusvm.js';
import type { GpuSvmNotifier } from '../drm/gpusvm/notifier.js';
import { PagesFlag } from '../drm/gpusvm/pages.js';
import type { GpuSvmRange } from '../drm/gpusvm/range.js';
import { type NotifierRange, NotifyEvent } from '../mm/mirror/mmuNotifier.js';
import type { Steps } from '../sim/steps.js';
import { DriverRange, type RangeDevice } from './driverRange.js';
import { DriverStep } from './driverStep.js';
import type { GpuHandle } from './gpuHandle.js';
import type { SvmVm } from './svmVm.js';

const inNotifier: GpuSvmContext = { ...defaultContext, inNotifier: true };

/** Pages of one device whose translations one invalidation took away: from the first to one past the last. */
export interface InvalidationWindow {
  start: number;
  end: number;
}

/** @kernel xe_svm_invalidate */
export class Invalidation implements GpuSvmOps {
  constructor(private readonly vm: SvmVm) {}

  rangeAlloc(notifier: GpuSvmNotifier, start: Vpn, end: Vpn, migrateDevmem: boolean): GpuSvmRange {
    const { kernel, membership } = this.vm;
    return new DriverRange(notifier, start, end, migrateDevmem, kernel.sched, membership);
  }

  /** The last reference never goes in the callback; by then nothing is mapped. */
  rangeFree(range: GpuSvmRange): void {
    for (const part of own(range).parts) {
      assert(!part.pages.has(PagesFlag.HasDmaMapping), 'a range is freed while it is mapped');
      part.pages.dmaAddrs = null;
    }
  }

  *invalidate(_gpusvm: GpuSvm, notifier: GpuSvmNotifier, event: NotifierRange): Steps<void> {
    const ranges = ownRangesIn(notifier, event);
    if (ranges.length === 0) return;
    for (const range of ranges) if (isBinding(range.parts)) yield* waitForBinds(range.parts);
    const windows = new Map<GpuHandle, InvalidationWindow>();
    for (const range of ranges) this.beginRange(range, windows);
    if (windows.size > 0) yield* this.invalidateTlbs(windows, true);
    for (const range of ranges) yield* this.endRange(range, event);
  }

  /** The same for some parts of one range, without an event; the notifier lock is held for write. @kernel xe_vm_range_unbind */
  *drop(range: DriverRange, parts: readonly RangeDevice[]): Steps<void> {
    yield* this.dropTranslations(range, parts);
    yield* this.unmapParts(range, parts);
  }

  /** Afterwards none of these devices has a translation to the range; the notifier lock is held for write. */
  *dropTranslations(range: DriverRange, parts: readonly RangeDevice[]): Steps<void> {
    yield* waitForBinds(parts);
    const windows = new Map<GpuHandle, InvalidationWindow>();
    this.beginParts(range, parts, windows);
    yield* this.invalidateTlbs(windows, false);
  }

  /**
   * Takes one device's translations to these ranges away; its DMA mappings stay. The notifier lock is held, and the vm lock for write, which keeps
   * binds away. @kernel xe_vm_invalidate_madvise_range
   */
  *zapDevice(gpu: GpuHandle, ranges: readonly DriverRange[]): Steps<void> {
    const windows = new Map<GpuHandle, InvalidationWindow>();
    for (const range of ranges) {
      const part = range.find(gpu);
      if (part !== null) this.beginParts(range, [part], windows);
    }
    if (windows.size > 0) yield* this.invalidateTlbs(windows, false);
  }

  /** Ends DMA to the range's pages for these devices; the notifier lock is held for write. */
  *unmapParts(range: DriverRange, parts: readonly RangeDevice[]): Steps<void> {
    const { gpusvm, dma } = this.vm;
    for (const part of parts) yield* dma.unmapPages(gpusvm, part.pages, range.npages, inNotifier);
  }

  /** Takes the range's translations away on each device that has them: the whole range, not just the overlap. @kernel xe_svm_range_notifier_event_begin */
  private beginRange(range: DriverRange, windows: Map<GpuHandle, InvalidationWindow>): void {
    if (!range.unmapped) this.beginParts(range, range.parts, windows);
  }

  private beginParts(
    range: DriverRange,
    parts: readonly RangeDevice[],
    windows: Map<GpuHandle, InvalidationWindow>,
  ): void {
    for (const part of parts) {
      if (!part.bound) continue;
      part.bound = false;
      part.gpu.port.zap(inSpace(this.vm.space, range.start), range.npages);
      this.vm.kernel.sched.at(DriverStep.zap, range.start, range.npages, part.gpu.index);
      const window = windows.get(part.gpu);
      if (window === undefined) {
        windows.set(part.gpu, { start: range.start, end: range.end });
      } else {
        this.widen(window, range);
      }
    }
  }

  /** Ranges come in order of address, but a window must hold all of them. */
  widen(window: InvalidationWindow, range: DriverRange): void {
    window.start = Math.min(window.start, range.start);
    window.end = Math.max(window.end, range.end);
  }

  /** All devices at once, then wait for each. It counts as one for a notifier, or for another cause. @kernel xe_vm_range_tilemask_tlb_inval */
  protected *invalidateTlbs(windows: Map<GpuHandle, InvalidationWindow>, forNotifier: boolean): Steps<void> {
    const { sched } = this.vm.kernel;
    const startedNs = sched.now();
    const pending: [GpuHandle, TlbInvalidation, InvalidationWindow][] = [];
    for (const [gpu, window] of windows) {
      const npages = window.end - window.start;
      const first = inSpace(this.vm.space, window.start as Vpn);
      pending.push([gpu, gpu.port.startTlbInvalidation(first, npages), window]);
    }
    for (const [gpu, invalidation, window] of pending) {
      yield* gpu.port.finishTlbInvalidation(invalidation);
      const tookNs = sched.now() - startedNs;
      const step = forNotifier ? DriverStep.tlbInvalidated : DriverStep.tlbDropped;
      sched.at(step, window.start, window.end - window.start, gpu.index, tookNs);
    }
  }

  /** @kernel xe_svm_range_notifier_event_end */
  private *endRange(range: DriverRange, event: NotifierRange): Steps<void> {
    const { gpusvm, collector } = this.vm;
    yield* this.unmapParts(range, range.parts);
    if (event.event !== NotifyEvent.Unmap || this.vm.closed) return;
    gpusvm.rangeSetUnmapped(range, range.allPages, range.numPages, event);
    collector.add(range);
  }
}

function isBinding(parts: readonly RangeDevice[]): boolean {
  for (const part of parts) if (part.isBinding) return true;
  return false;
}

function* waitForBinds(parts: readonly RangeDevice[]): Steps<void> {
  for (const part of parts) yield* part.waitForBind();
}

/** Those of the window that an invalidation touches, in order of address. */
function ownRangesIn(notifier: GpuSvmNotifier, event: NotifierRange): DriverRange[] {
  const { ranges } = notifier.gpusvm;
  const start = Math.max(event.start, notifier.start);
  const end = Math.min(event.end, notifier.end);
  const found: DriverRange[] = [];
  for (let node = ranges.firstOverlap(start, end); node !== null; node = ranges.nextOverlap(node, start, end))
    found.push(own(node.value));
  return found;
}

/** Every range of this gpusvm was made by `rangeAlloc`. @kernel to_xe_range */
function own(range: GpuSvmRange): DriverRange {
  assert(range instanceof DriverRange, 'a range of another driver');
  return range;
}
