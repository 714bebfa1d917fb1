/** The page table of a mirror device for one address space: pages to frames, with what the device may do. */

import type { Vpn } from '../../base/units.js';
import type { Pfn } from '../../memory/pfn.js';

/** What the device may do with a page beyond reading it. @kernel DPT_XA_TAG_WRITE, DPT_XA_TAG_ATOMIC */
export const MirrorTag = {
  None: 0,
  /** The device holds the page exclusively, for atomic operations; plain stores fault first. */
  Atomic: 1,
  Write: 3,
} as const;
export type MirrorTag = (typeof MirrorTag)[keyof typeof MirrorTag];

const TAG_MASK = 3;

/** Holds no references: the interval notifier takes entries out before their pages go. Guarded by the mirror's mutex. */
export class MirrorTable {
  private readonly entries = new Map<number, number>();

  get size(): number {
    return this.entries.size;
  }

  set(page: Vpn, pfn: Pfn, tag: MirrorTag): void {
    this.entries.set(page, (pfn << 2) | tag);
  }

  erase(page: Vpn): void {
    this.entries.delete(page);
  }

  /** The page has moved; an entry for it, if there is one, keeps its tag. */
  follow(page: Vpn, to: Pfn): void {
    if (this.entries.has(page)) this.set(page, to, this.tagAt(page));
  }

  /** Both ends belong to the span. @kernel dmirror_do_update */
  eraseSpan(first: number, last: number): void {
    if (last - first >= this.entries.size) {
      for (const page of [...this.entries.keys()]) {
        if (page >= first && page <= last) this.entries.delete(page);
      }
      return;
    }
    for (let page = first; page <= last; page++) this.entries.delete(page);
  }

  clear(): void {
    this.entries.clear();
  }

  /** `NO_PFN` where there is no entry. */
  pfnAt(page: Vpn): Pfn {
    return ((this.entries.get(page) ?? 0) >>> 2) as Pfn;
  }

  tagAt(page: Vpn): MirrorTag {
    return ((this.entries.get(page) ?? 0) & TAG_MASK) as MirrorTag;
  }

  forEach(visit: (page: Vpn, pfn: Pfn, tag: MirrorTag) => void): void {
    for (const [page, entry] of this.entries) {
      visit(page as Vpn, (entry >>> 2) as Pfn, (entry & TAG_MASK) as MirrorTag);
    }
  }
}
