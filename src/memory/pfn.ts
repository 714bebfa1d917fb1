/** Page frame numbers and the two packed forms in which HMM and migration pass them: three types that must never mix. */

import { AssertionFailure, assert } from '../base/assert.js';
import type { Brand } from '../base/brand.js';

/** Index of a physical page over all zones, RAM and VRAM alike; uint32 of at most 22 bits. */
export type Pfn = Brand<number, 'Pfn'>;

/**
 * One entry of a `migrate_vma` src or dst array: zero, or flags and a pfn; uint32.
 *
 * @kernel migrate_pfn
 */
export type MigratePfn = Brand<number, 'MigratePfn'>;

/**
 * One entry of an `hmm_range`: request flags going in, flags, order and pfn coming out; uint32. Holds no reference.
 *
 * @kernel hmm_pfns
 */
export type HmmPfn = Brand<number, 'HmmPfn'>;

export const PFN_BITS = 22;
/** The highest page frame number: 16 GiB of physical memory in all zones together. */
export const PFN_MAX = 2 ** PFN_BITS - 1;

/** Frame 0 lies in no zone and is never handed out: it says "no page". */
export const NO_PFN: Pfn = 0 as Pfn;

/** A page frame number from a plain number, which must be an integer in `[0, PFN_MAX]`. */
export function pfn(frame: number): Pfn {
  if (frame >>> 0 !== frame || frame > PFN_MAX) refusePfn(frame);
  return frame as Pfn;
}

/** Apart from its only caller, so that making a pfn never makes a closure. */
function refusePfn(frame: number): never {
  throw new AssertionFailure(`pfn ${frame} is not in [0, ${PFN_MAX}]`);
}

/** `0x200`: how every message prints a pfn. */
export function formatPfn(frame: number): string {
  return `0x${frame.toString(16)}`;
}

/** @kernel MIGRATE_PFN_VALID, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_COMPOUND, MIGRATE_PFN_WRITE */
export const MigratePfnFlag = {
  /** The entry names a page. */
  VALID: 1,
  /** The page, or the hole, is to be moved; after the pages step: was moved. */
  MIGRATE: 2,
  /** The entry stands for a whole large folio; the entries of its tails are 0. */
  COMPOUND: 4,
  /** The CPU mapping was writable. */
  WRITE: 8,
} as const;

const MIGRATE_PFN_SHIFT = 6;
const MIGRATE_PFN_LOW_BITS = 2 ** MIGRATE_PFN_SHIFT - 1;
const MIGRATE_PFN_FLAGS = 15;

/**
 * Packs an entry. VALID is implied by a page, as in the kernel, and forbidden without one; `NO_PFN` with MIGRATE is a hole
 * that will be filled by a fresh page.
 *
 * @kernel migrate_pfn
 */
export function migratePfn(page: Pfn, flags: number): MigratePfn {
  assert((flags & ~MIGRATE_PFN_FLAGS) === 0, 'unknown migrate-pfn flag');
  if (page === NO_PFN) {
    assert((flags & MigratePfnFlag.VALID) === 0, 'migrate-pfn is VALID but names no page');
    return flags as MigratePfn;
  }
  return ((page << MIGRATE_PFN_SHIFT) | flags | MigratePfnFlag.VALID) as MigratePfn;
}

/**
 * The page of an entry, or `NO_PFN` when the entry is not VALID.
 *
 * @kernel migrate_pfn_to_page
 */
export function migratePfnToPfn(entry: MigratePfn): Pfn {
  return (entry & MigratePfnFlag.VALID ? entry >>> MIGRATE_PFN_SHIFT : NO_PFN) as Pfn;
}

/** The entry with flags added, for example MIGRATE on a hole. */
export function migratePfnWith(entry: MigratePfn, flags: number): MigratePfn {
  assert((flags & ~MIGRATE_PFN_FLAGS) === 0, 'unknown migrate-pfn flag');
  return (entry | flags) as MigratePfn;
}

/** The entry with flags cleared: without MIGRATE the page stays where it is. */
export function migratePfnWithout(entry: MigratePfn, flags: number): MigratePfn {
  return (entry & ~flags) as MigratePfn;
}

/** Whether a word of such an array is empty or says what it is; the number of a page alone is not, as a rule. */
export function isMigratePfn(word: number): boolean {
  const flags = word & MIGRATE_PFN_LOW_BITS;
  return (flags & ~MIGRATE_PFN_FLAGS) === 0 && ((word & MigratePfnFlag.VALID) !== 0 || word === flags);
}

/** Reads one entry of a `Uint32Array` that holds migrate-pfns; the array's owner vouches for its contents. */
export function migratePfnAt(entries: Uint32Array, at: number): MigratePfn {
  return entries[at] as MigratePfn;
}

/**
 * Request flags (in) share bits with result flags (out).
 *
 * @kernel hmm_pfn_flags
 */
export const HmmPfnFlag = {
  /** Out: the pfn may be used. */
  VALID: 1,
  /** In: the page must be made present. */
  REQ_FAULT: 1,
  /** Out: the CPU entry is writable. */
  WRITE: 2,
  /** In: the page must be made present and writable. */
  REQ_WRITE: 2,
  /** Out: a snapshot met something that has no page. */
  ERROR: 4,
  /** In and out: the page has a live DMA mapping. */
  DMA_MAPPED: 8,
  /** In and out: the DMA mapping goes peer to peer. */
  P2PDMA: 16,
  /** In and out: the peer mapping uses bus addresses. */
  P2PDMA_BUS: 32,
} as const;

/**
 * The flags that a walk keeps from its input; everything else it overwrites.
 *
 * @kernel HMM_PFN_INOUT_FLAGS
 */
export const HMM_PFN_STICKY = HmmPfnFlag.DMA_MAPPED | HmmPfnFlag.P2PDMA | HmmPfnFlag.P2PDMA_BUS;

const HMM_PFN_FLAGS = 63;
const HMM_PFN_ORDER_SHIFT = 6;
const HMM_PFN_ORDER_MAX = 15;
const HMM_PFN_SHIFT = 10;

/** By how much entries for consecutive pages of one leaf differ. */
export const HMM_PFN_PAGE_STEP = 1 << HMM_PFN_SHIFT;

/**
 * Packs an entry; `order` is that of the page-table leaf (0..15). With `NO_PFN` this makes a request or an empty result.
 *
 * @kernel hmm_pfn_flags_order_to_page
 */
export function hmmPfn(page: Pfn, flags: number, order = 0): HmmPfn {
  assert((flags & ~HMM_PFN_FLAGS) === 0, 'unknown hmm-pfn flag');
  assert(order >= 0 && order <= HMM_PFN_ORDER_MAX, 'hmm-pfn order out of range');
  assert(page === NO_PFN || (flags & HmmPfnFlag.VALID) !== 0, 'hmm-pfn names a page but is not VALID');
  return (((page << HMM_PFN_SHIFT) | (order << HMM_PFN_ORDER_SHIFT) | flags) >>> 0) as HmmPfn;
}

/**
 * The page of an entry; `NO_PFN` when it names none (a request, a hole, an error).
 *
 * @kernel hmm_pfn_to_page
 */
export function hmmPfnToPfn(entry: HmmPfn): Pfn {
  return (entry >>> HMM_PFN_SHIFT) as Pfn;
}

/**
 * The order of the page-table leaf that mapped the page; it may reach beyond the range asked for.
 *
 * @kernel hmm_pfn_to_map_order
 */
export function hmmPfnOrder(entry: HmmPfn): number {
  return (entry >>> HMM_PFN_ORDER_SHIFT) & HMM_PFN_ORDER_MAX;
}

/** The six flag bits of an entry. */
export function hmmPfnFlags(entry: HmmPfn): number {
  return entry & HMM_PFN_FLAGS;
}

/** The entry with flags added, for example DMA_MAPPED once the page is mapped. */
export function hmmPfnWith(entry: HmmPfn, flags: number): HmmPfn {
  assert((flags & ~HMM_PFN_FLAGS) === 0, 'unknown hmm-pfn flag');
  return ((entry | flags) >>> 0) as HmmPfn;
}

export function hmmPfnWithout(entry: HmmPfn, flags: number): HmmPfn {
  return ((entry & ~flags) >>> 0) as HmmPfn;
}

/** Reads one entry of a `Uint32Array` that holds hmm-pfns; the array's owner vouches for its contents. */
export function hmmPfnAt(entries: Uint32Array, at: number): HmmPfn {
  return entries[at] as HmmPfn;
}
