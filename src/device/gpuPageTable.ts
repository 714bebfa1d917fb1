/** One GPU's page table: from virtual pages to addresses as that GPU sees them. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { formatVpn, TASK_SIZE_PAGES, type Vpn, vpn } from '../base/units.js';
import { dmaAddrAt, dmaOrder } from '../memory/dmaAddr.js';
import { RadixTable, TABLE_ENTRIES, TABLE_VPN_END, type TableArena } from '../memory/radixTable.js';
import { formatGpuPte, type GpuPte, gpuPte, gpuPteOfWord, gpuPteSamePage, NO_GPU_PTE } from './gpuPte.js';

/** Owned by the device, which alone reads and writes it; the tables lie in shared memory for checkers. @kernel xe_pt */
export class GpuPageTable {
  /** Valid entries now. */
  entries = 0;
  private readonly table: RadixTable;

  /** @throws RangeError when the arena has no table for the root. */
  constructor(arena: TableArena) {
    this.table = new RadixTable(arena);
  }

  /**
   * Writes entries for `npages` pages. `addrs` is packed: its first entry covers the first `1 << order` pages, the next those after them,
   * and so on, to exactly `npages`. A valid entry may gain or lose the right to store, but changes its page only through a zap.
   * Errors: -ENOMEM, with nothing written, when tables run out. @kernel xe_vm_range_rebind
   */
  bind(page: Vpn, npages: number, addrs: Uint32Array, write: boolean): Errno {
    checkRange(page, npages);
    if (!this.makeTables(page, npages)) return Errno.ENOMEM;
    let done = 0;
    for (let at = 0; done < npages; at++) {
      const addr = dmaAddrAt(addrs, at);
      const covered = 1 << dmaOrder(addr);
      assert(
        done + covered <= npages,
        () => `DMA address ${at} of a bind reaches beyond its ${npages} pages`,
      );
      for (let i = 0; i < covered; i++) this.set(page + done + i, gpuPte(addr, i, write));
      done += covered;
    }
    return Errno.OK;
  }

  /** Clears entries; returns how many had been valid. The TLB may still hold them. @kernel xe_pt_zap_ptes_range */
  zap(page: Vpn, npages: number): number {
    checkRange(page, npages);
    const end = page + npages;
    let zapped = 0;
    for (let at = this.table.nextPopulated(page, end); at < end; at = this.table.nextPopulated(at, end)) {
      const blockEnd = Math.min(end, nextBlock(at));
      zapped += this.zapBlock(at, blockEnd - at);
      at = blockEnd;
    }
    this.entries -= zapped;
    return zapped;
  }

  /** The walk. */
  read(page: Vpn): GpuPte {
    return gpuPteOfWord(this.table.get(page));
  }

  /** Valid entries in ascending order of pages. */
  forEach(visit: (page: Vpn, pte: GpuPte) => void): void {
    const end = TABLE_VPN_END;
    for (
      let at = this.table.nextPopulated(0, end);
      at < end;
      at = this.table.nextPopulated(nextBlock(at), end)
    ) {
      const slot = this.table.slot(at);
      for (let i = 0; i < TABLE_ENTRIES; i++) {
        const pte = gpuPteOfWord(this.table.read(slot + i));
        if (pte !== NO_GPU_PTE) visit(vpn(at + i), pte);
      }
    }
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
    const before = this.table.arena.freeTables;
    // Only this thread walks the table, so nobody is inside one.
    this.table.release(0, TABLE_VPN_END, () => {});
    return this.table.arena.freeTables > before;
  }

  private set(page: number, pte: GpuPte): void {
    const slot = this.table.slot(page);
    const old = gpuPteOfWord(this.table.exchange(slot, pte));
    if (old === NO_GPU_PTE) this.entries++;
    else this.assertSamePage(page, old, pte);
  }

  private assertSamePage(page: number, old: GpuPte, pte: GpuPte): void {
    assert(
      gpuPteSamePage(old, pte),
      () =>
        `GPU page ${formatVpn(page)} is bound to ${formatGpuPte(pte)} over ${formatGpuPte(old)} without a zap`,
    );
  }

  private zapBlock(page: number, npages: number): number {
    const slot = this.table.slot(page);
    let zapped = 0;
    for (let i = 0; i < npages; i++) {
      if (this.table.exchange(slot + i, NO_GPU_PTE) !== NO_GPU_PTE) zapped++;
    }
    return zapped;
  }
}

/** The first page of the leaf table after that of `page`. */
function nextBlock(page: number): number {
  return (Math.floor(page / TABLE_ENTRIES) + 1) * TABLE_ENTRIES;
}

function checkRange(page: number, npages: number): void {
  assert(npages > 0 && page >= 0 && page + npages <= TASK_SIZE_PAGES, 'GPU pages outside the address space');
}
