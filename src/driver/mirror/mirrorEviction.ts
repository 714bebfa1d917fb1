/** Taking a chunk of a mirror device's memory out of use: what is in it moves to RAM, in whatever address spaces it is mapped. */

import { Errno } from '../../base/errno.js';
import { PMD_ORDER, PMD_PAGES } from '../../base/units.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  type Pfn,
} from '../../memory/pfn.js';
import type { FolioSplit } from '../../mm/huge/folioSplit.js';
import type { Kernel } from '../../mm/kernel.js';
import type { MigrateDevice } from '../../mm/migrate/migrateDevice.js';
import type { Steps } from '../../sim/steps.js';
import type { MirrorChunk } from './mirrorMemory.js';
import { MirrorStep } from './mirrorStep.js';

export class MirrorEviction {
  constructor(
    private readonly kernel: Kernel,
    private readonly migrateDevice: MigrateDevice,
    private readonly folioSplit: FolioSplit,
  ) {}

  /**
   * Pages that somebody holds, and those for which there is no memory, stay. A large folio for which RAM has no huge page goes page by page.
   * @kernel dmirror_device_evict_chunk
   */
  *evict(chunk: MirrorChunk, device: number): Steps<void> {
    const left = yield* this.moveAll(chunk, device);
    if (left.length === 0) return;
    for (const head of left) yield* this.split(head);
    yield* this.moveAll(chunk, device);
  }

  /** Returns the large folios that found no huge page. */
  private *moveAll(chunk: MirrorChunk, device: number): Steps<Pfn[]> {
    const src = new Uint32Array(chunk.pages);
    const dst = new Uint32Array(chunk.pages);
    const used = listUsed(chunk, src);
    if (used === 0) return [];
    yield* this.migrateDevice.pfns(src, used);
    const left = this.copyHome(src, dst, used);
    yield* this.migrateDevice.pages(src, dst, used);
    yield* this.migrateDevice.finalize(src, dst, used);
    this.kernel.sched.at(MirrorStep.evicted, chunk.firstPfn, used, device);
    return left;
  }

  private copyHome(src: Uint32Array, dst: Uint32Array, npages: number): Pfn[] {
    const { kernel } = this;
    const left: Pfn[] = [];
    for (let i = 0; i < npages; i++) {
      const entry = migratePfnAt(src, i);
      const from = migratePfnToPfn(entry);
      if (from === NO_PFN || (entry & MigratePfnFlag.MIGRATE) === 0) continue;
      const compound = entry & MigratePfnFlag.COMPOUND;
      const to = compound === 0 ? kernel.allocPageNoFail() : kernel.allocFolio(PMD_ORDER);
      if (to === NO_PFN) {
        if (compound !== 0) left.push(from);
        continue;
      }
      kernel.folioLocks.lockNew(to);
      kernel.memory.copyPages(to, from, compound === 0 ? 1 : PMD_PAGES);
      dst[i] = migratePfn(to, (entry & MigratePfnFlag.WRITE) | compound);
    }
    return left;
  }

  /** The folio may have gone meanwhile, or be somebody's just now: then it stays as it is. */
  private *split(head: Pfn): Steps<Errno> {
    const { folios, folioLocks } = this.kernel;
    if (!folios.tryGet(head)) return Errno.ENOENT;
    let errno: Errno = Errno.EBUSY;
    if (folioLocks.trylock(head)) {
      if (folios.isLarge(head)) errno = yield* this.folioSplit.split(head);
      folioLocks.unlock(head);
    }
    folios.put(head);
    return errno;
  }
}

function listUsed(chunk: MirrorChunk, pfns: Uint32Array): number {
  let used = 0;
  for (let pfn: number = chunk.firstPfn; pfn < chunk.firstPfn + chunk.pages; pfn++) {
    if (!chunk.isFree(pfn as Pfn)) pfns[used++] = pfn;
  }
  return used;
}
