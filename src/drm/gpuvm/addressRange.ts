/** Ranges of GPU addresses as the interface passes them, in bytes of 64 bits, and their way to pages, with the wrap that 64 bits have. */

import { Errno } from '../../base/errno.js';
import { PAGE_BYTES } from '../../base/units.js';

const ADDRESS_BITS = 64;
const PAGE = BigInt(PAGE_BYTES);

/** Pages that 64 bits of bytes can name: as numbers they are exact. */
export const ADDRESS_PAGES = 2 ** ADDRESS_BITS / PAGE_BYTES;

/** A span of pages. */
export interface PageSpan {
  readonly start: number;
  /** One past the last. */
  readonly end: number;
}

/** `addr + range` in 64 bits comes out below `addr`, or needs a 65th bit. Both are unsigned. @kernel drm_gpuvm_check_overflow */
export function rangeOverflows(addr: bigint, range: bigint): boolean {
  return BigInt.asUintN(ADDRESS_BITS, addr + range) !== addr + range;
}

/** The range in bytes of `npages` pages from `page` on, which need not be one of 64 bits. */
export function bytesOfPages(page: number, npages: number): [addr: bigint, range: bigint] {
  return [BigInt(page) * PAGE, BigInt(npages) * PAGE];
}

/**
 * The pages of a range in bytes. Errors: -EINVAL, not a whole number of pages, none at all, or an end beyond 64 bits. An end of exactly
 * 2^64 counts as beyond, as for the kernel, in whose arithmetic it is 0.
 */
export function pagesOfRange(addr: bigint, range: bigint): PageSpan | Errno {
  if (addr < 0n || range <= 0n || addr % PAGE !== 0n || range % PAGE !== 0n) return Errno.EINVAL;
  if (rangeOverflows(addr, range)) return Errno.EINVAL;
  return { start: Number(addr / PAGE), end: Number((addr + range) / PAGE) };
}
