/** The driver's range: a gpusvm range with the pages objects and the bindings of its devices. */

import { assert } from '../base/assert.js';
import type { Vpn } from '../base/units.js';
import type { GpuSvmNotifier } from '../drm/gpusvm/notifier.js';
import { GpuSvmPages } from '../drm/gpusvm/pages.js';
import { GpuSvmRange } from '../drm/gpusvm/range.js';
import { LockClass } from '../sim/lockOrder.js';
import { Mutex } from '../sim/mutex.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import type { GpuHandle } from './gpuHandle.js';

const rangeLockClass = new LockClass('range device lock');

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

/**
 * With one device the part is kept inline; when a second one joins, the parts of all devices of the address space stand in one array, so
 * that one call marks all of them unmapped. Growing happens under the notifier lock for write, since a callback may walk the parts.
 */
export class DriverRange extends GpuSvmRange {
  private inline: RangeDevice | null = null;
  private array: RangeDevice[] | null = null;
  /** On the garbage collector's list. */
  queued = false;

  constructor(
    notifier: GpuSvmNotifier,
    start: Vpn,
    end: Vpn,
    migrateDevmem: boolean,
    private readonly sched: Scheduler,
    private readonly gpus: readonly GpuHandle[],
  ) {
    super(notifier, start, end, migrateDevmem);
  }

  /** Parts that exist now. Notifier lock in either mode. */
  get parts(): readonly RangeDevice[] {
    if (this.array !== null) return this.array;
    return this.inline === null ? [] : [this.inline];
  }

  get numPages(): number {
    return this.array !== null ? this.array.length : this.inline === null ? 0 : 1;
  }

  /** The pages objects of all parts, as one list. */
  get allPages(): GpuSvmPages[] {
    return this.parts.map((part) => part.pages);
  }

  /** The part of a device, or null if it has none yet. */
  find(gpu: GpuHandle): RangeDevice | null {
    for (const part of this.parts) if (part.gpu === gpu) return part;
    return null;
  }

  /** Makes room for one more device; the notifier lock is held for write. A range that was unmapped stays unmapped for the newcomers. */
  grow(gpu: GpuHandle): RangeDevice {
    assert(this.find(gpu) === null, () => `device ${gpu.index} has a part of the range already`);
    if (this.numPages === 0) {
      this.inline = this.newPart(gpu);
      return this.inline;
    }
    assert(this.array === null && this.inline !== null, 'a device is not among those of its address space');
    const first = this.inline;
    this.array = this.gpus.map((other) => (other === first.gpu ? first : this.newPart(other)));
    this.inline = null;
    const part = this.find(gpu);
    assert(part !== null, 'the device does not mirror this address space');
    return part;
  }

  private newPart(gpu: GpuHandle): RangeDevice {
    const part = new RangeDevice(this.sched, gpu);
    if (this.unmapped) part.pages.markUnmapped();
    return part;
  }
}
