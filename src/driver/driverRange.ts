/** The driver's range: a gpusvm range with the pages objects and the bindings of its devices. */

import { assert } from '../base/assert.js';
import type { Vpn } from '../base/units.js';
import type { GpuSvmNotifier } from '../drm/gpusvm/notifier.js';
import { GpuSvmPages, PagesFlag } from '../drm/gpusvm/pages.js';
import { GpuSvmRange } from '../drm/gpusvm/range.js';
import { LockClass } from '../sim/lockOrder.js';
import { Mutex } from '../sim/mutex.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import type { GpuHandle } from './gpuHandle.js';

const rangeLockClass = new LockClass('range device lock');
const fetchLockClass = new LockClass('range fetch lock');

/** One device's part of a range. Its pages and binding are guarded by the notifier lock. */
export class RangeDevice {
  readonly pages: GpuSvmPages;
  /** The device's page table has entries for the range. @kernel tile_present */
  bound = false;
  /** They allow stores. */
  boundWritable = false;
  /** A bind is on its way to the device and not answered yet. */
  private binding = false;
  private readonly bindAnswered: WaitQueue;
  /** One fault of a device at a time works on the range; faults of different devices race as they do in the kernel. */
  readonly lock: Mutex;

  constructor(
    sched: Scheduler,
    readonly gpu: GpuHandle,
  ) {
    this.pages = new GpuSvmPages(gpu);
    this.bindAnswered = new WaitQueue(sched, `a bind of device ${gpu.index}`);
    this.lock = new Mutex(sched, `range lock of device ${gpu.index}`, rangeLockClass);
  }

  get isBinding(): boolean {
    return this.binding;
  }

  beginBind(): void {
    assert(!this.binding, 'two binds of one part at a time');
    this.binding = true;
  }

  endBind(): void {
    this.binding = false;
    this.bindAnswered.wakeAll();
  }

  /**
   * For an invalidation, with the notifier lock held for write: otherwise two devices that take a range from one another could zap each
   * other's entries before the fault that they are for has been answered, for ever. @kernel dma_resv_wait_timeout (DMA_RESV_USAGE_BOOKKEEP)
   */
  *waitForBind(): Steps<void> {
    while (this.binding) yield* this.bindAnswered.wait();
  }
}

/** Who mirrors the address space of a range, in their order; changes as devices join and leave. */
export interface RangeMembers {
  readonly gpus: readonly GpuHandle[];
  /** One HMM fault gets the pages for all of them. */
  readonly sharesFaults: boolean;
}

/**
 * With one device the part is kept inline; with more, the parts of all devices of the address space stand in one array, so that one call marks
 * all of them unmapped. A callback may walk the parts, so they are replaced under the notifier lock for write; and since memory may not be
 * reclaimed under that lock, the new ones are made before it is taken: {@link prepare}, lock, {@link install}.
 */
export class DriverRange extends GpuSvmRange {
  private inline: RangeDevice | null = null;
  private array: readonly RangeDevice[] | null = null;
  /** On the garbage collector's list. */
  queued = false;
  /** Where one HMM fault serves all devices, one of them at a time takes it; the others find their pages valid then. */
  readonly fetchLock: Mutex;

  constructor(
    notifier: GpuSvmNotifier,
    start: Vpn,
    end: Vpn,
    migrateDevmem: boolean,
    private readonly sched: Scheduler,
    private readonly members: RangeMembers,
  ) {
    super(notifier, start, end, migrateDevmem);
    this.fetchLock = new Mutex(sched, 'range fetch lock', fetchLockClass);
  }

  /** Parts that exist now. Notifier lock in either mode. */
  get parts(): readonly RangeDevice[] {
    if (this.array !== null) return this.array;
    return this.inline === null ? [] : [this.inline];
  }

  /** Which member of the union is in use. @kernel num_pages */
  get numPages(): number {
    return this.array !== null ? this.array.length : this.inline === null ? 0 : 1;
  }

  /** The pages objects of all parts, as one list. */
  get allPages(): GpuSvmPages[] {
    return this.parts.map((part) => part.pages);
  }

  /** The part of a device, or null if it has none yet. */
  find(gpu: GpuHandle): RangeDevice | null {
    const { inline, array } = this;
    if (array === null) return inline !== null && inline.gpu === gpu ? inline : null;
    for (const part of array) if (part.gpu === gpu) return part;
    return null;
  }

  /** One HMM fault gets the pages for all devices. */
  get sharesFaults(): boolean {
    return this.members.sharesFaults;
  }

  /** The devices that have parts once `gpu` has one: itself alone, or all of the address space. */
  gpusWith(gpu: GpuHandle): readonly GpuHandle[] {
    const { gpus, sharesFaults } = this.members;
    assert(gpus.includes(gpu), () => `device ${gpu.index} does not mirror this address space`);
    return this.numPages === 0 && !sharesFaults ? [gpu] : gpus;
  }

  /** Parts for these devices, zeroed where they have none yet. No lock: what is there may change until they are installed. @kernel kcalloc, drm_gpusvm_init_pages */
  prepare(gpus: readonly GpuHandle[]): readonly RangeDevice[] {
    return gpus.map((gpu) => this.find(gpu) ?? new RangeDevice(this.sched, gpu));
  }

  /**
   * Replaces the parts; the notifier lock is held for write. One is kept inline, more in an array. A range that was unmapped stays so for the
   * newcomers; a part that goes has nothing mapped.
   */
  install(parts: readonly RangeDevice[]): void {
    for (const part of this.parts) {
      if (parts.includes(part)) continue;
      const isIdle = !part.bound && !part.pages.has(PagesFlag.HasDmaMapping) && !part.lock.isLocked;
      assert(isIdle, () => `device ${part.gpu.index} leaves a range that it uses`);
      part.pages.dmaAddrs = null;
    }
    if (this.unmapped) for (const { pages } of parts) pages.markUnmapped();
    this.inline = parts.length === 1 ? parts[0] : null;
    this.array = parts.length > 1 ? parts : null;
  }
}
