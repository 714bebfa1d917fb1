/** What /proc/PID/pagemap says of pages, and the clearing of soft-dirty bits through /proc/PID/clear_refs. */

import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { VmFlag } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import { NotifyEvent, notifierRange } from '../mirror/mmuNotifier.js';
import type { Mm } from '../process/mm.js';
import {
  PTE_NONE,
  type Pte,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  pteIsHuge,
  pteKind,
  ptePfn,
  pteWithout,
} from './pte.js';
import { pteSpanEnd } from './pteSpan.js';
import { replacePte } from './pteUpdate.js';

export const PagemapReadStep = {
  cleared: defineStep('softDirty.cleared', 'vpn', 'npages', 'id'),
} as const;

/** One page of an address space. @kernel PM_PRESENT, PM_SWAP, PM_SOFT_DIRTY, PM_MMAP_EXCLUSIVE, PM_FILE */
export interface PagemapEntry {
  readonly present: boolean;
  /** Not in memory that the CPU reaches: in swap, on a device, or on its way. */
  readonly swapped: boolean;
  readonly softDirty: boolean;
  /** Present, and mapped here only. */
  readonly exclusive: boolean;
  /** Of a file, or shared. */
  readonly file: boolean;
}

const keys = ['present', 'swapped', 'softDirty', 'exclusive', 'file'] as const;

/** An entry as one byte, a bit for each thing that it says. */
export function pagemapByte(entry: PagemapEntry): number {
  return keys.reduce((byte, key, bit) => byte | (entry[key] ? 1 << bit : 0), 0);
}

export function pagemapEntry(byte: number): PagemapEntry {
  const [present, swapped, softDirty, exclusive, file] = keys.map((_, bit) => ((byte >> bit) & 1) === 1);
  return { present, swapped, softDirty, exclusive, file };
}

export class Pagemap {
  constructor(private readonly kernel: Kernel) {}

  /** Changes nothing and faults nothing in. Atomic. @kernel pagemap_read, pte_to_pagemap_entry */
  read(mm: Mm, page: Vpn): PagemapEntry {
    const pte = pteFromWord(mm.pageTable.get(page));
    const vma = mm.vmas.find(page);
    const { folios } = this.kernel;
    const kind = pteKind(pte);
    const present = kind === PteKind.Present;
    const hasPage = namesPage(kind) && !this.kernel.isZeroPage(ptePfn(pte));
    return {
      present,
      swapped: kind !== PteKind.None && kind !== PteKind.Marker && !present,
      softDirty: pteHas(pte, PteBit.SoftDirty) || (vma !== null && !vma.tracksSoftDirty),
      exclusive: present && hasPage && folios.pageMapcount(ptePfn(pte)) === 1,
      file: hasPage && !folios.testFlag(ptePfn(pte), FolioFlag.Anon),
    };
  }

  /**
   * From now on a page is soft-dirty if it was written or mapped since. Takes the write permission of every present entry, so that the next
   * store is noticed, inside one SOFT_DIRTY invalidation of everything; pinned pages, which are written without a fault, stay as they are.
   * Takes mmap_lock for write. @kernel clear_refs_write
   */
  *clearSoftDirty(mm: Mm): Steps<void> {
    const range = notifierRange(NotifyEvent.SoftDirty, 0 as Vpn, TASK_SIZE_PAGES as Vpn);
    yield* mm.mmapLock.write();
    for (const vma of mm.vmas) vma.flags &= ~VmFlag.SoftDirty;
    yield* mm.notifiers.invalidateStart(range);
    let page = mm.pageTable.nextPopulated(0, TASK_SIZE_PAGES);
    while (page < TASK_SIZE_PAGES) {
      const from = page;
      page = pteSpanEnd(this.kernel, mm, from, TASK_SIZE_PAGES);
      this.clearEntries(mm, from, page);
      if (this.kernel.sched.reach(PagemapReadStep.cleared, from, page - from, mm.id)) yield STEP;
      page = mm.pageTable.nextPopulated(page, TASK_SIZE_PAGES);
    }
    this.kernel.flushCpuTlbs();
    yield* mm.notifiers.invalidateEnd(range);
    mm.mmapLock.writeUnlock();
  }

  /** Under the page-table lock, within one leaf table. All words of a PMD leaf change alike; hugetlb memory has no such bits. @kernel clear_refs_pte_range */
  private clearEntries(mm: Mm, start: number, end: number): void {
    const slot = mm.pageTable.slot(start);
    if (mm.vmas.find(start as Vpn)?.isHugetlb === true) return;
    for (let at = slot; at < slot + end - start; at++) {
      const pte = pteFromWord(mm.pageTable.read(at));
      const clean = this.isPinned(pte) ? pte : cleanEntry(pte);
      if (clean !== pte) replacePte(mm.pageTable, at, clean);
    }
  }

  /** A writable page of the process alone that somebody pinned. @kernel pte_is_pinned */
  private isPinned(pte: Pte): boolean {
    const { folios, pins } = this.kernel;
    const pfn = ptePfn(pte);
    if (pteKind(pte) !== PteKind.Present || pteIsHuge(pte) || !pteHas(pte, PteBit.Write)) return false;
    const folio = folios.headOf(pfn);
    return folios.testFlag(folio, FolioFlag.Anon) && pins.maybePinned(folio);
  }
}

/** @kernel clear_soft_dirty */
function cleanEntry(pte: Pte): Pte {
  if (pte === PTE_NONE) return pte;
  const isPresent = pteKind(pte) === PteKind.Present;
  return pteWithout(pte, isPresent ? PteBit.SoftDirty | PteBit.Write : PteBit.SoftDirty);
}

/** Kinds whose entries hold the number of a page. @kernel is_pfn_swap_entry */
function namesPage(kind: PteKind): boolean {
  return (
    kind === PteKind.Present ||
    kind === PteKind.Migration ||
    kind === PteKind.DevicePrivate ||
    kind === PteKind.DeviceExclusive
  );
}
