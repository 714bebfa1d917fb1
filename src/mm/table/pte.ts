/** The CPU page-table entry: one 32-bit word, its states and its bits. */

import type { Brand } from '../../base/brand.js';
import type { Pfn } from '../../memory/pfn.js';

/** A leaf entry of a CPU page table. Zero is the empty entry. */
export type Pte = Brand<number, 'Pte'>;

/** The states of an entry; all but Present are "not present" to the hardware walker. */
export const PteKind = {
  None: 0,
  Present: 1,
  /** The folio is locked as long as such an entry exists; waiters sleep on the folio lock. */
  Migration: 2,
  DevicePrivate: 3,
  Swap: 4,
  DeviceExclusive: 5,
  HwPoison: 6,
  Marker: 7,
} as const;
export type PteKind = (typeof PteKind)[keyof typeof PteKind];

export const PteBit = {
  /** Present: the CPU may store. Device-private and migration: the restored entry will be writable. */
  Write: 1 << 3,
  Young: 1 << 4,
  Dirty: 1 << 5,
  SoftDirty: 1 << 6,
  UffdWp: 1 << 7,
  /** Migration, swap and device-exclusive entries: the page was exclusive to its mm. @kernel SWP_MIGRATION_READ_EXCLUSIVE, pte_swp_exclusive */
  Exclusive: 1 << 8,
  /** Present entries: accessible to nobody (PROT_NONE, NUMA hinting). Shares its bit with Exclusive, which only other kinds have. @kernel pte_protnone */
  ProtNone: 1 << 8,
  /**
   * The entry is one of the 512 words that stand for one PMD leaf: all of them carry the bit, the same kind and the same flags, and consecutive
   * pages. Words, so that whoever walks the table as hardware does reads one leaf word in any case. @kernel pmd_trans_huge
   */
  Huge: 1 << 9,
} as const;

/** A store makes both, in whatever table the bits are looked for. @kernel pte_mkdirty */
export const PTE_WRITTEN = PteBit.Dirty | PteBit.SoftDirty;

const KIND_MASK = 0x7;
const PFN_SHIFT = 10;

export const PTE_NONE = 0 as Pte;

export function makePte(kind: PteKind, pfn: Pfn, bits: number): Pte {
  return (((pfn << PFN_SHIFT) | bits | kind) >>> 0) as Pte;
}

/** A word read from a page table, as an entry. */
export function pteFromWord(word: number): Pte {
  return (word >>> 0) as Pte;
}

export function pteKind(pte: Pte): PteKind {
  return (pte & KIND_MASK) as PteKind;
}

export function ptePfn(pte: Pte): Pfn {
  return (pte >>> PFN_SHIFT) as Pfn;
}

export function pteHas(pte: Pte, bits: number): boolean {
  return (pte & bits) === bits;
}

export function pteWith(pte: Pte, bits: number): Pte {
  return ((pte | bits) >>> 0) as Pte;
}

export function pteWithout(pte: Pte, bits: number): Pte {
  return ((pte & ~bits) >>> 0) as Pte;
}

/** What {@link ptePlus} adds for one page. */
export const PTE_PAGE_STEP = 1 << PFN_SHIFT;

/** The same entry for the page that lies `pages` behind: how the words of a huge leaf follow from its first one. */
export function ptePlus(pte: Pte, pages: number): Pte {
  return ((pte + (pages << PFN_SHIFT)) >>> 0) as Pte;
}

/** Whether the word is part of a PMD leaf. @kernel pmd_trans_huge, pmd_leaf */
export function pteIsHuge(pte: number): boolean {
  return (pte & PteBit.Huge) !== 0;
}

/** Whether the hardware walker may use the entry for this access. @kernel pte_present */
export function pteAllows(pte: number, write: boolean): boolean {
  return (pte & (KIND_MASK | PteBit.ProtNone)) === PteKind.Present && (!write || (pte & PteBit.Write) !== 0);
}

/** Whether a walk of the hardware may still change the entry: it marks what it uses as young, and as dirty on a store. */
export function hardwareMayMark(pte: Pte): boolean {
  if (pteKind(pte) !== PteKind.Present) return false;
  const marks = (pte & PteBit.Write) !== 0 ? PteBit.Young | PteBit.Dirty : PteBit.Young;
  return (pte & marks) !== marks;
}

/** Entries that hold a folio reference and count in its mapcount. */
export function pteIsMapping(pte: Pte): boolean {
  const kind = pteKind(pte);
  return kind === PteKind.Present || kind === PteKind.DevicePrivate;
}

/** Entries that hold a folio reference: those that map it, and device-exclusive ones, which keep the page but do not count in its mapcount. */
export function pteHoldsFolio(pte: Pte): boolean {
  return pteIsMapping(pte) || pteKind(pte) === PteKind.DeviceExclusive;
}

const kindNames = [
  'none',
  'present',
  'migration',
  'device-private',
  'swap',
  'device-exclusive',
  'hwpoison',
  'marker',
];

/** `present pfn 0x2a1 w y d`: how reports print an entry. */
export function formatPte(pte: Pte): string {
  const kind = kindNames[pteKind(pte)];
  if (pte === PTE_NONE) return kind;
  const bits = [
    pteHas(pte, PteBit.Write) ? ' w' : ' r',
    pteHas(pte, PteBit.Young) ? ' young' : '',
    pteHas(pte, PteBit.Dirty) ? ' dirty' : '',
    pteKind(pte) === PteKind.Present && pteHas(pte, PteBit.ProtNone) ? ' protnone' : '',
    pteHas(pte, PteBit.Huge) ? ' huge' : '',
  ];
  return `${kind} pfn 0x${ptePfn(pte).toString(16)}${bits.join('')}`;
}
