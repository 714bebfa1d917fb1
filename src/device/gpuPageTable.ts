/** One GPU's page tables, one per address space: from virtual pages to addresses as that GPU sees them. */

import { AssertionFailure, assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { formatVpn, TASK_SIZE_PAGES, type Vpn, vpn } from '../base/units.js';
import { dmaAddrAt, dmaOrder } from '../memory/dmaAddr.js';
import { RadixTable, TABLE_ENTRIES, TABLE_VPN_END, type TableArena } from '../memory/radixTable.js';
import {
  formatGpuPte,
  GPU_PTE_PAGE_STEP,
  type GpuPte,
  gpuPte,
  gpuPteOfWord,
  gpuPteSamePage,
  NO_GPU_PTE,
} from './gpuPte.js';
import { FIRST_SPACE, inSpace, pageInSpace, type SpaceId, spaceOf } from './gpuSpace.js';

/**
 * Owned by the device, which alone reads and writes it; the tables lie in shared memory for checkers. Pages are named with their space. The
 * first space is always there, the others from their first bind on. @kernel xe_pt
 */
export class GpuPageTable {
  /** Valid entries now, of all spaces. */
  entries = 0;
  private readonly tables = new Map<SpaceId, RadixTable>();
  /** The space used last, and its table: accesses of one space come in a row. */
  private space: SpaceId = FIRST_SPACE;
  private table: RadixTable;

  /** @throws RangeError when the arena has no table for the root. */
  constructor(private readonly arena: TableArena) {
    this.table = new RadixTable(arena);
    this.tables.set(FIRST_SPACE, this.table);
  }

  /** Tables that were ever in use are below this. */
  get touchedEnd(): number {
    return this.arena.touchedEnd;
  }

  get freeTables(): number {
    return this.arena.freeTables;
  }

  /**
   * Writes entries for `npages` pages. `addrs` is packed: its first entry covers the first `1 << order` pages, the next those after them,
   * and so on, to exactly `npages`. A valid entry may gain or lose rights, but changes its page only through a zap.
   * Errors: -ENOMEM, with nothing written, when tables run out. @kernel xe_vm_range_rebind
   */
  bind(page: Vpn, npages: number, addrs: Uint32Array, write: boolean, atomics = true): Errno {
    checkRange(page, npages);
    if (!this.ensureSpace(page) || !this.makeTables(pageInSpace(page), npages)) return Errno.ENOMEM;
    let done = 0;
    for (let at = 0; done < npages; at++) {
      const addr = dmaAddrAt(addrs, at);
      const covered = 1 << dmaOrder(addr);
      if (done + covered > npages) refuseReach(at, npages);
      this.setRun(pageInSpace((page + done) as Vpn), covered, gpuPte(addr, 0, write, atomics));
      done += covered;
    }
    return Errno.OK;
  }

  /** Clears entries; returns how many had been valid. The TLB may still hold them. @kernel xe_pt_zap_ptes_range */
  zap(page: Vpn, npages: number): number {
    checkRange(page, npages);
    if (this.entries === 0 || !this.enter(page)) return 0;
    const start = pageInSpace(page);
    const end = start + npages;
    let zapped = 0;
    for (
      let at: number = this.table.nextPopulated(start, end);
      at < end;
      at = this.table.nextPopulated(at, end)
    ) {
      const blockEnd = Math.min(end, nextBlock(at));
      zapped += this.zapBlock(at, blockEnd - at);
      at = blockEnd;
    }
    this.entries -= zapped;
    return zapped;
  }

  /** The walk. */
  read(page: Vpn): GpuPte {
    return this.enter(page) ? gpuPteOfWord(this.table.get(pageInSpace(page))) : NO_GPU_PTE;
  }

  /** The space is gone and has no entry; its tables go. The first one stays. */
  removeSpace(space: SpaceId): void {
    const table = this.tables.get(space);
    if (table === undefined || space === FIRST_SPACE) return;
    if (this.space === space) this.enter(inSpace(FIRST_SPACE, 0 as Vpn));
    this.tables.delete(space);
    table.destroy();
  }

  /** Valid entries in ascending order of pages, space by space. */
  forEach(visit: (page: Vpn, pte: GpuPte) => void): void {
    if (this.entries === 0) return;
    const spaces = [...this.tables].sort(([a], [b]) => a - b);
    for (const [space, table] of spaces) {
      table.forEach((page, word) => {
        visit(inSpace(space, vpn(page)), gpuPteOfWord(word));
      });
    }
  }

  /** Turns to the table of a page's space; false when it has none. */
  private enter(page: Vpn): boolean {
    const space = spaceOf(page);
    if (space === this.space) return true;
    const table = this.tables.get(space);
    if (table === undefined) return false;
    this.space = space;
    this.table = table;
    return true;
  }

  /** The same, with a table made where there is none; false when the arena cannot give one. */
  private ensureSpace(page: Vpn): boolean {
    if (this.enter(page)) return true;
    if (this.arena.freeTables === 0 && !this.releaseEmptyTables()) return false;
    this.tables.set(spaceOf(page), new RadixTable(this.arena));
    return this.enter(page);
  }

  /** Makes all leaf tables of a range, taking back empty ones where the arena has no other. */
  private makeTables(page: number, npages: number): boolean {
    return this.ensureTables(page, npages) || (this.releaseEmptyTables() && this.ensureTables(page, npages));
  }

  private ensureTables(page: number, npages: number): boolean {
    for (let at = page; at < page + npages; at = nextBlock(at)) {
      if (this.table.ensure(at) < 0) return false;
    }
    return true;
  }

  /** Empty tables are kept until they are needed elsewhere, since the same range is usually bound again. */
  private releaseEmptyTables(): boolean {
    const before = this.arena.freeTables;
    // Only this thread walks the tables, so nobody is inside one.
    for (const table of this.tables.values()) table.release(0, TABLE_VPN_END, () => {});
    return this.arena.freeTables > before;
  }

  /** Consecutive pages behind one address; `first` is the entry of the first. The page is one of the space that was entered. */
  private setRun(page: number, npages: number, first: GpuPte): void {
    const end = page + npages;
    let pte: number = first;
    let added = 0;
    for (let at = page; at < end; ) {
      const slot = this.table.slot(at);
      const count = Math.min(end, nextBlock(at)) - at;
      for (let i = 0; i < count; i++) {
        const old = gpuPteOfWord(this.table.exchangeUnshared(slot + i, pte));
        if (old === NO_GPU_PTE) added++;
        else this.assertSamePage(at + i, old, gpuPteOfWord(pte));
        pte += GPU_PTE_PAGE_STEP;
      }
      at += count;
    }
    this.entries += added;
  }

  private assertSamePage(page: number, old: GpuPte, pte: GpuPte): void {
    if (gpuPteSamePage(old, pte)) return;
    throw new AssertionFailure(
      `GPU page ${formatVpn(page)} is bound to ${formatGpuPte(pte)} over ${formatGpuPte(old)} without a zap`,
    );
  }

  private zapBlock(page: number, npages: number): number {
    const { table } = this;
    const slot = table.slot(page);
    const end = slot + npages;
    let zapped = 0;
    for (let at = table.nextUsedSlot(slot, end); at < end; at = table.nextUsedSlot(at + 1, end)) {
      table.exchangeUnshared(at, NO_GPU_PTE);
      zapped++;
    }
    return zapped;
  }
}

/** Apart from its caller, so that binding makes no closures. */
function refuseReach(at: number, npages: number): never {
  throw new AssertionFailure(`DMA address ${at} of a bind reaches beyond its ${npages} pages`);
}

/** The first page of the leaf table after that of `page`. */
function nextBlock(page: number): number {
  return (Math.floor(page / TABLE_ENTRIES) + 1) * TABLE_ENTRIES;
}

function checkRange(page: number, npages: number): void {
  const start = page % TASK_SIZE_PAGES;
  assert(npages > 0 && page >= 0 && start + npages <= TASK_SIZE_PAGES, 'GPU pages outside the address space');
}
