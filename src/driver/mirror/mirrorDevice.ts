/** One mirror device: its memory, the contexts that are open on it, and what the mm calls it for. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { AllocSite } from '../../memory/failureInjector.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { Zone } from '../../memory/zone.js';
import type { Kernel } from '../../mm/kernel.js';
import {
  type DeviceFault,
  type DevPagemap,
  type DevPagemapOps,
  type PagemapOwner,
  pagemapOwner,
} from '../../mm/migrate/devPagemap.js';
import type { Mm } from '../../mm/process/mm.js';
import { LockClass } from '../../sim/lockOrder.js';
import { Mutex } from '../../sim/mutex.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { MirrorContext } from './mirrorContext.js';
import type { MirrorEviction } from './mirrorEviction.js';
import { MirrorMemory } from './mirrorMemory.js';
import type { MirrorMigrate } from './mirrorMigrate.js';
import { MirrorStep } from './mirrorStep.js';
import type { ViewingDevice } from './mirrorView.js';

const evictLockClass = new LockClass('mirror device lock');

/** @kernel dmirror_device */
export class MirrorDevice implements DevPagemapOps, ViewingDevice {
  readonly name: string;
  readonly pagemap: DevPagemap;
  readonly memory: MirrorMemory;
  /** Whoever takes chunks away; never with mmap_lock taken inside. @kernel devmem_lock */
  private readonly evictLock: Mutex;
  private readonly open_ = new Map<number, MirrorContext>();
  /** Those of which a page is still in use: somebody held it while all went home. */
  private readonly closed = new Map<number, MirrorContext>();
  private nextContext = 1;

  constructor(
    readonly kernel: Kernel,
    readonly zone: Zone,
    /** Pages of a chunk; the zone holds at least one chunk. */
    chunkPages: number,
    private readonly migrate: MirrorMigrate,
    private readonly eviction: MirrorEviction,
  ) {
    this.name = `mirror${zone.deviceIndex}`;
    this.memory = new MirrorMemory(zone, chunkPages);
    this.pagemap = { zoneId: zone.id, owner: pagemapOwner(zone.id), ops: this };
    this.evictLock = new Mutex(kernel.sched, `device lock of ${this.name}`, evictLockClass);
    kernel.addPagemap(this.pagemap);
  }

  get owner(): PagemapOwner {
    return this.pagemap.owner;
  }

  get index(): number {
    return this.zone.deviceIndex;
  }

  get contexts(): Iterable<MirrorContext> {
    return this.open_.values();
  }

  /** A view of `mm` for the device. Errors: those of `NotifierSubscriptions.insert`. @kernel dmirror_fops_open */
  *open(mm: Mm): Steps<MirrorContext | Errno> {
    const context = new MirrorContext(this.nextContext++, this, mm);
    const errno = yield* mm.notifiers.insert(context.notifier);
    if (errno !== Errno.OK) return errno;
    this.open_.set(context.id, context);
    return context;
  }

  /**
   * No command of the context runs or will. All pages of the device go home, whoever brought them there, since their CPU faults would look
   * for a context that is gone. A page that somebody holds just now stays; it keeps the context, without a notifier or entries, until it is freed.
   * @kernel dmirror_fops_release
   */
  *close(context: MirrorContext): Steps<void> {
    assert(this.open_.get(context.id) === context, 'a context is closed twice');
    yield* context.mm.notifiers.remove(context.notifier);
    for (const chunk of [...this.memory.chunks]) yield* this.eviction.evict(chunk, this.index);
    context.table.clear();
    this.open_.delete(context.id);
    if (context.pagesInUse > 0) this.closed.set(context.id, context);
  }

  /** Moves every page home and gives up all chunks; what is allocated afterwards comes from new ones. @kernel dmirror_device_remove_chunks */
  *evictAll(): Steps<void> {
    yield* this.evictLock.lock();
    for (const chunk of [...this.memory.chunks]) {
      this.memory.remove(chunk);
      yield* this.eviction.evict(chunk, this.index);
    }
    this.evictLock.unlock();
  }

  /** @kernel migrate_to_ram */
  *migrateToRam(fault: DeviceFault): Steps<Errno> {
    const { sched } = this.kernel;
    if (sched.reach(MirrorStep.cpuFault, fault.page, fault.pfn, this.index)) yield STEP;
    const context = this.contextOf(fault.pfn);
    assert(context !== null, 'a device page that is mapped names no context');
    return yield* this.migrate.cpuFault(context, fault);
  }

  /** @kernel folio_free */
  folioFree(pfn: Pfn, order: number): void {
    const context = this.contextOf(pfn);
    assert(context !== null, 'a device page that is freed names no context');
    context.pagesInUse -= 2 ** order;
    if (context.pagesInUse === 0) this.closed.delete(context.id);
    this.kernel.folios.setZoneData(pfn, 0);
    this.memory.free(pfn, order);
  }

  /** The pages keep the context of the folio, and are freed one by one from now on. @kernel dmirror_devmem_folio_split */
  folioSplit(head: Pfn, npages: number): void {
    const context = this.contextOf(head);
    assert(context !== null, 'a large folio that is split names no context');
    for (let i = 1; i < npages; i++) {
      assert(this.contextOf((head + i) as Pfn) === context, 'a page of a split folio names another context');
    }
    this.kernel.sched.at(MirrorStep.split, head, npages, this.index);
  }

  /** The context that brought a page to the device, open or not; null for a free page. */
  contextOf(pfn: Pfn): MirrorContext | null {
    const id = this.kernel.folios.zoneData(pfn);
    return this.open_.get(id) ?? this.closed.get(id) ?? null;
  }

  /** A locked folio of `2^order` pages with one reference and undefined content; `NO_PFN` when there is none. @kernel dmirror_devmem_alloc_page */
  allocPage(context: MirrorContext, order = 0): Pfn {
    if (context.takeFailure() || this.kernel.allocationFails(AllocSite.DevicePage)) return NO_PFN;
    const pfn = this.memory.alloc(order);
    if (pfn === NO_PFN) return NO_PFN;
    const { folios, folioLocks } = this.kernel;
    folios.prepareNew(pfn, order, 1);
    folioLocks.lockNew(pfn);
    folios.setZoneData(pfn, context.id);
    context.pagesInUse += 2 ** order;
    return pfn;
  }
}
