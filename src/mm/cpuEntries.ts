/** All entries of all CPU page tables at one moment, in columns: a checker goes through them a dozen times. */

import type { Vpn } from '../base/units.js';
import type { Vma } from './area/vma.js';
import { forEachPte } from './mmCensus.js';
import type { Mm } from './process/mm.js';
import type { Pte } from './table/pte.js';

/** Hears of an entry that is not empty, of a huge leaf each word, and of the area that it lies in; null outside all areas. */
export type EntryVisitor = (mm: Mm, page: Vpn, pte: Pte, vma: Vma | null) => void;

/** The entries of one address space, in the order of their addresses. */
interface TableEntries {
  readonly mm: Mm;
  readonly pages: readonly Vpn[];
  readonly ptes: readonly Pte[];
}

export class CpuEntries {
  readonly size: number;
  private readonly tables: readonly TableEntries[];

  /** Atomic. Address spaces whose page table is gone have none. */
  constructor(mms: Iterable<Mm>) {
    this.tables = Array.from(mms, entriesOf);
    this.size = this.tables.reduce((sum, { pages }) => sum + pages.length, 0);
  }

  /** By address space, then by address. Areas are as they are now. */
  forEach(visit: EntryVisitor): void {
    for (const { mm, pages, ptes } of this.tables) {
      let vma: Vma | null = null;
      for (let i = 0; i < pages.length; i++) {
        const page = pages[i];
        if (vma === null || page >= vma.end) vma = mm.vmas.find(page);
        visit(mm, page, ptes[i], vma);
      }
    }
  }
}

function entriesOf(mm: Mm): TableEntries {
  const pages: Vpn[] = [];
  const ptes: Pte[] = [];
  forEachPte(mm, (page, pte) => {
    pages.push(page);
    ptes.push(pte);
  });
  return { mm, pages, ptes };
}
