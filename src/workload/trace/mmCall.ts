/** The memory calls of a recorded program as a closed union with decoded arguments, and the event that carries one. */

import type { Vpn } from '../../base/units.js';

/** What a mapping allows; all false is PROT_NONE. */
export interface PageProt {
  readonly read: boolean;
  readonly write: boolean;
  readonly exec: boolean;
}

/** The mmap flags that matter to an address space; file-system and huge-page-size hints are left out. */
export interface MapFlags {
  /** MAP_SHARED or MAP_SHARED_VALIDATE; otherwise private. */
  readonly shared: boolean;
  readonly anonymous: boolean;
  /** MAP_FIXED: replaces what is mapped there. */
  readonly fixed: boolean;
  /** MAP_FIXED_NOREPLACE: fails where something is mapped. */
  readonly noReplace: boolean;
  readonly noreserve: boolean;
  readonly stack: boolean;
  readonly growsDown: boolean;
  readonly populate: boolean;
  readonly locked: boolean;
  readonly hugetlb: boolean;
}

export interface RemapFlags {
  readonly mayMove: boolean;
  /** MREMAP_FIXED: to `target`, replacing what is mapped there. */
  readonly fixed: boolean;
  /** MREMAP_DONTUNMAP: the old range stays mapped, empty. */
  readonly dontUnmap: boolean;
}

/**
 * Every madvise advice of Linux, named by the last part of its constant, with its number on x86-64.
 * Source: include/uapi/asm-generic/mman-common.h.
 */
export const ADVICE_NUMBERS = {
  normal: 0,
  random: 1,
  sequential: 2,
  willneed: 3,
  dontneed: 4,
  free: 8,
  remove: 9,
  dontfork: 10,
  dofork: 11,
  mergeable: 12,
  unmergeable: 13,
  hugepage: 14,
  nohugepage: 15,
  dontdump: 16,
  dodump: 17,
  wipeonfork: 18,
  keeponfork: 19,
  cold: 20,
  pageout: 21,
  populate_read: 22,
  populate_write: 23,
  dontneed_locked: 24,
  collapse: 25,
  hwpoison: 100,
  soft_offline: 101,
  guard_install: 102,
  guard_remove: 103,
} as const;

export type NamedAdvice = keyof typeof ADVICE_NUMBERS;
/** `unknown` is a number that none of the names stands for. */
export type Advice = NamedAdvice | 'unknown';

/**
 * Lengths are in pages, rounded up as the kernel does. The pages of a call that succeeded lie below TASK_SIZE_PAGES and its addresses
 * were page aligned (an mmap hint is rounded down, as the kernel does). A failed call keeps what it asked for: an address that was not
 * aligned is the page that holds it, and both address and length may lie outside the address space.
 */
export type MmCall =
  | {
      readonly kind: 'mmap';
      /** Null for NULL: anywhere. */
      readonly hint: Vpn | null;
      readonly npages: number;
      readonly prot: PageProt;
      readonly flags: MapFlags;
      /** -1 for none. */
      readonly fd: number;
      readonly offsetPages: number;
      /** Null when the call failed. */
      readonly result: Vpn | null;
    }
  | { readonly kind: 'munmap'; readonly start: Vpn; readonly npages: number }
  | {
      readonly kind: 'mprotect';
      readonly start: Vpn;
      readonly npages: number;
      readonly prot: PageProt;
      /** PROT_GROWSDOWN: from the start of a stack mapping on. */
      readonly growsDown: boolean;
    }
  | { readonly kind: 'madvise'; readonly start: Vpn; readonly npages: number; readonly advice: Advice }
  | {
      readonly kind: 'mremap';
      readonly from: Vpn;
      /** 0 duplicates a shared mapping. */
      readonly fromPages: number;
      readonly toPages: number;
      readonly flags: RemapFlags;
      /** The fifth argument; null where the call had four. */
      readonly target: Vpn | null;
      /** Null when the call failed. */
      readonly result: Vpn | null;
    }
  | {
      readonly kind: 'brk';
      /** Byte address; null for NULL, which only asks for the break. */
      readonly requestBytes: number | null;
      /** The break after the call, byte address. It equals the old break when the kernel refused: brk has no errno. */
      readonly breakBytes: number;
    }
  /** An access that faulted: no call, and not in what strace prints, but in what other tools record. */
  | { readonly kind: 'touch'; readonly page: Vpn; readonly write: boolean }
  /** A child with a copy of the address space. `child` is null when the call failed. */
  | { readonly kind: 'fork'; readonly child: number | null }
  /** A child that borrows the address space until it execs or exits (CLONE_VM and CLONE_VFORK). */
  | { readonly kind: 'vfork'; readonly child: number | null }
  /** A child in the same address space (CLONE_VM without CLONE_VFORK). */
  | { readonly kind: 'thread'; readonly child: number | null }
  /** A new, empty address space, unless the call failed. `path` is as strace prints it, escapes included. */
  | { readonly kind: 'exec'; readonly path: string }
  | {
      readonly kind: 'exit';
      /** exit_group: the whole process; otherwise one thread of it. */
      readonly wholeProcess: boolean;
      /** Null when a signal ended it. */
      readonly status: number | null;
      /** `SIGSEGV`, or null when it ended by itself. */
      readonly signal: string | null;
    };

export type MmCallKind = MmCall['kind'];

/** One call of one thread. */
export interface MmEvent {
  /** Thread id; 0 for the first process of a trace that never names it. */
  readonly pid: number;
  /** Microseconds from the earliest start of any event to the start of this call; 0 throughout where the trace has no times. */
  readonly atUs: number;
  /** Line on which the call starts, from 1. */
  readonly line: number;
  readonly call: MmCall;
  /** `ENOMEM`, or null when the call succeeded. */
  readonly errno: string | null;
}
