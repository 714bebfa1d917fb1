/** Page geometry and address arithmetic: every conversion between bytes, page numbers and words is here. */

import type { Brand } from './brand.js';

/** Virtual page number: a 47-bit virtual address over 4 KiB; at most 2^35 - 1, so exact as a double but not as an int32. */
export type Vpn = Brand<number, 'Vpn'>;

export const PAGE_SHIFT = 12;
/** Bytes of a base page, the only size that page numbers count. */
export const PAGE_BYTES = 4096;
/** 32-bit words in a page. */
export const PAGE_WORDS = PAGE_BYTES / 4;
/** Pages covered by one entry of the second page-table level: 2 MiB. */
export const PMD_PAGES = 512;
/** Order of a folio that fills one such entry. @kernel HPAGE_PMD_ORDER */
export const PMD_ORDER = 9;
/** One past the last user page: TASK_SIZE of x86-64 with four levels, in pages. */
export const TASK_SIZE_PAGES = 2 ** 35;

/** A page number from a plain number; the caller vouches that it is one. */
export function vpn(page: number): Vpn {
  return page as Vpn;
}

/** The first byte of a page. */
export function addressOf(page: Vpn): number {
  return page * PAGE_BYTES;
}

/** The page that holds a byte address. Addresses reach 2^47, so no bit operators. */
export function pageOf(address: number): Vpn {
  return Math.floor(address / PAGE_BYTES) as Vpn;
}

/** Pages that so many bytes need. */
export function pagesFor(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

/** Rounds a page number down to a multiple of `align` (any power of two, also above 2^31). */
export function alignDown(page: number, align: number): number {
  return page - (page % align);
}

export function alignUp(page: number, align: number): number {
  return alignDown(page + align - 1, align);
}

/** `0x7f0000001000`: how every message prints a virtual page. */
export function formatVpn(page: number): string {
  return `0x${(page * PAGE_BYTES).toString(16)}`;
}
