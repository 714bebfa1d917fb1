/** All memory calls of one kernel, wired together: what a CPU thread or a driver can ask of the mm. */

import type { Pfn } from '../memory/pfn.js';
import { MadviseCall } from './area/madvise.js';
import { MadviseFlags } from './area/madviseFlags.js';
import { MadviseFree } from './area/madviseFree.js';
import { MadvisePageOut } from './area/madvisePageOut.js';
import { Mlock } from './area/mlock.js';
import { MemoryMap } from './area/mmap.js';
import { Mprotect } from './area/mprotect.js';
import { Mremap } from './area/mremap.js';
import { UnmapRegion } from './area/unmapRegion.js';
import { VmaEdit } from './area/vmaEdit.js';
import { CopyOnWrite } from './fault/copyOnWrite.js';
import { FaultHandler } from './fault/fault.js';
import { FileFault } from './file/fileFault.js';
import { Truncate } from './file/truncate.js';
import { Writeback } from './file/writeback.js';
import { Collapse } from './huge/collapse.js';
import { DeferredSplit } from './huge/deferredSplit.js';
import { FolioParts } from './huge/folioParts.js';
import { FolioSplit } from './huge/folioSplit.js';
import type { Kernel } from './kernel.js';
import { MigrateDevice } from './migrate/migrateDevice.js';
import { MigrateUnmap } from './migrate/migrateUnmap.js';
import { DeviceExclusive } from './mirror/deviceExclusive.js';
import { ExclusiveEntries } from './mirror/exclusiveEntries.js';
import { GetUserPages } from './mirror/gup.js';
import { CopyPageRange } from './process/copyPageRange.js';
import { ExitMm } from './process/exitMm.js';
import { Fork } from './process/fork.js';
import { Rmap } from './rmap/rmap.js';
import { Reclaim } from './swap/reclaim.js';
import { MovePageTables } from './table/movePageTables.js';
import { Pagemap } from './table/pagemap.js';
import type { Pte } from './table/pte.js';
import { Zap } from './table/zap.js';

/** One per kernel; the parts keep no state of an address space. */
export class MmCalls {
  readonly edit: VmaEdit;
  readonly zap: Zap;
  readonly unmapRegion: UnmapRegion;
  readonly faults: FaultHandler;
  readonly memoryMap: MemoryMap;
  readonly mprotect: Mprotect;
  readonly madvise: MadviseCall;
  readonly mremap: Mremap;
  readonly exit: ExitMm;
  readonly fork: Fork;
  readonly exclusive: DeviceExclusive;
  readonly rmap: Rmap;
  readonly writeback: Writeback;
  readonly truncate: Truncate;
  readonly deferredSplit: DeferredSplit;
  readonly reclaim: Reclaim;
  readonly mlock: Mlock;
  readonly pagemap: Pagemap;
  readonly gup: GetUserPages;
  readonly collapse: Collapse;

  constructor(kernel: Kernel) {
    this.edit = new VmaEdit(kernel);
    this.zap = new Zap(kernel);
    this.unmapRegion = new UnmapRegion(kernel, this.edit, this.zap);
    const exclusiveEntries = new ExclusiveEntries(kernel);
    this.faults = new FaultHandler(kernel, new CopyOnWrite(kernel), new FileFault(kernel), exclusiveEntries);
    this.mlock = new Mlock(kernel, this.edit, this.faults);
    this.memoryMap = new MemoryMap(kernel, this.edit, this.unmapRegion, this.mlock);
    this.mprotect = new Mprotect(kernel, this.edit, this.mlock);
    this.collapse = new Collapse(kernel, this.faults);
    this.mremap = new Mremap(kernel, this.edit, this.unmapRegion, new MovePageTables(kernel), this.mlock);
    this.rmap = new Rmap(kernel);
    const folioSplit = new FolioSplit(kernel, this.rmap);
    const parts = new FolioParts(kernel, folioSplit);
    this.writeback = new Writeback(kernel, this.rmap);
    this.reclaim = new Reclaim(kernel, this.rmap, folioSplit, this.writeback);
    const free = new MadviseFree(kernel, parts);
    const pageOut = new MadvisePageOut(kernel, parts, this.reclaim);
    const flags = new MadviseFlags(kernel, this.edit);
    this.madvise = new MadviseCall(kernel, this.zap, free, pageOut, this.collapse, flags);
    this.truncate = new Truncate(kernel, this.zap);
    this.deferredSplit = new DeferredSplit(kernel, folioSplit);
    const migrateDevice = new MigrateDevice(kernel, new MigrateUnmap(kernel, this.rmap));
    this.gup = new GetUserPages(kernel, this.faults, migrateDevice);
    this.pagemap = new Pagemap(kernel);
    this.exit = new ExitMm(kernel, this.edit, this.zap);
    const forkedPages = {
      maybePinned: (folio: Pfn) => kernel.pins.maybePinned(folio),
      duplicateSwapEntry: (pte: Pte) => kernel.swapCache.duplicateEntry(pte),
    };
    this.fork = new Fork(kernel, new CopyPageRange(kernel, exclusiveEntries, forkedPages), this.exit);
    this.exclusive = new DeviceExclusive(kernel, this.faults, exclusiveEntries, this.rmap);
  }
}
