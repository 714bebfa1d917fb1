/** What the mm knows of device memory: per zone an owner, and what to do when the CPU touches a page or the last reference goes. */

import type { Brand } from '../../base/brand.js';
import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { Pfn } from '../../memory/pfn.js';
import type { Steps } from '../../sim/steps.js';
import type { Vma } from '../area/vma.js';
import type { Mm } from '../process/mm.js';

/** Token that says whose device-private pages may be used without a CPU fault; 0 matches nobody. @kernel dev_private_owner */
export type PagemapOwner = Brand<number, 'PagemapOwner'>;

/** Owns no device page: all of them are brought home for it. */
export const NO_OWNER = 0 as PagemapOwner;

export function pagemapOwner(token: number): PagemapOwner {
  return token as PagemapOwner;
}

/** A CPU fault on a device-private page; the page is locked and has one reference of the fault. @kernel vm_fault */
export interface DeviceFault {
  readonly mm: Mm;
  readonly vma: Vma;
  readonly page: Vpn;
  readonly pfn: Pfn;
  /** A CPU thread's access; otherwise the kernel faults for somebody, such as a device. @kernel FAULT_FLAG_USER */
  readonly byProgram: boolean;
}

/** @kernel dev_pagemap_ops */
export interface DevPagemapOps {
  /**
   * Brings the page home, or leaves it and lets the CPU fault again: OK in both cases. Any error kills the access (SIGBUS). mmap_lock is
   * held for read; the page stays locked.
   * @kernel migrate_to_ram
   */
  migrateToRam(fault: DeviceFault): Steps<Errno>;
  /** The last reference to the folio of `2^order` pages is gone. May run where nothing may sleep. @kernel folio_free */
  folioFree(pfn: Pfn, order: number): void;
  /**
   * A large folio has just become `npages` locked folios of one page; the driver accounts for the new ones, whose zone data are the old one's.
   * Without it the device's folios are never large. @kernel folio_split
   */
  folioSplit?(head: Pfn, npages: number): void;
}

/** @kernel dev_pagemap */
export interface DevPagemap {
  readonly zoneId: number;
  owner: PagemapOwner;
  readonly ops: DevPagemapOps;
}
