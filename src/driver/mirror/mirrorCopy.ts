/** The driver's part of a migration: a destination for each page that was collected, filled from its source. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { PMD_ORDER, PMD_PAGES, type Vpn } from '../../base/units.js';
import {
  type MigratePfn,
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  type Pfn,
} from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import type { MigrateVmaArgs } from '../../mm/migrate/migrateVma.js';
import type { MigrationWatch } from './migrationWatch.js';
import type { MirrorContext } from './mirrorContext.js';
import { MirrorStep } from './mirrorStep.js';
import { MirrorTag } from './mirrorTable.js';

/**
 * Atomic. Pages without memory for them get no destination, and stay; of a large folio, or a huge hole, small pages are tried then.
 * @kernel dmirror_migrate_alloc_and_copy
 */
export function copyToDevice(context: MirrorContext, args: MigrateVmaArgs): void {
  const { device } = context;
  const npages = args.end - args.start;
  const alloc = (order: number): Pfn => device.allocPage(context, order);
  for (let i = 0; i < npages; i++) {
    const entry = migratePfnAt(args.src, i);
    if ((entry & MigratePfnFlag.MIGRATE) === 0) continue;
    const from = migratePfnToPfn(entry);
    const writable = from === NO_PFN ? args.vma.isWritable : (entry & MigratePfnFlag.WRITE) !== 0;
    copyEntry(context, args, i, alloc, writable ? MigratePfnFlag.WRITE : 0);
  }
  device.kernel.sched.at(MirrorStep.copied, args.start, npages, device.index);
}

/**
 * Atomic. The device forgets what it takes a copy of. `context` is the one whose table knows the pages. -ENOMEM when a page stays for want of
 * memory; the others still move. @kernel dmirror_devmem_fault_alloc_and_copy
 */
export function copyToSystem(context: MirrorContext, args: MigrateVmaArgs): Errno {
  const { device } = context;
  const npages = args.end - args.start;
  const alloc = (order: number): Pfn => allocSystemPage(context, order);
  let errno: Errno = Errno.OK;
  for (let i = 0; i < npages; i++) {
    const entry = migratePfnAt(args.src, i);
    const from = migratePfnToPfn(entry);
    if (from === NO_PFN || (entry & MigratePfnFlag.MIGRATE) === 0) continue;
    const { kind } = device.kernel.memory.layout.zoneOf(from);
    assert(kind !== ZoneKind.System, 'a page of RAM is to migrate to RAM');
    const copied = copyEntry(context, args, i, alloc, entry & MigratePfnFlag.WRITE);
    for (let j = 0; j < copied; j++) context.table.erase((args.start + i + j) as Vpn);
    if (copied === 0) errno = Errno.ENOMEM;
  }
  device.kernel.sched.at(MirrorStep.copied, args.start, npages, device.index);
  return errno;
}

/** Gives one entry its destination, or each page of a large one where there is no large folio for it. Returns how many pages are copied, from the first on. */
function copyEntry(
  context: MirrorContext,
  args: MigrateVmaArgs,
  i: number,
  alloc: (order: number) => Pfn,
  flags: number,
): number {
  const isLarge = (args.src[i] & MigratePfnFlag.COMPOUND) !== 0;
  const from = migratePfnToPfn(migratePfnAt(args.src, i));
  const to = alloc(isLarge ? PMD_ORDER : 0);
  if (to !== NO_PFN) {
    const npages = isLarge ? PMD_PAGES : 1;
    place(context, args, i, from, to, npages);
    args.dst[i] = migratePfn(to, flags | (isLarge ? MigratePfnFlag.COMPOUND : 0));
    return npages;
  }
  for (let j = 0; isLarge && j < PMD_PAGES; j++) {
    const small = alloc(0);
    if (small === NO_PFN) return j;
    place(context, args, i + j, from === NO_PFN ? from : ((from + j) as Pfn), small, 1);
    args.dst[i + j] = migratePfn(small, flags);
  }
  return isLarge ? PMD_PAGES : 0;
}

/** Copies the bytes; siblings follow them. */
function place(
  context: MirrorContext,
  args: MigrateVmaArgs,
  i: number,
  from: Pfn,
  to: Pfn,
  npages: number,
): void {
  fill(context, from, to, npages);
  for (const other of siblings(context, args))
    for (let j = 0; j < npages; j++) other.table.follow((args.start + i + j) as Vpn, (to + j) as Pfn);
}

/**
 * Under the mutex: what did migrate is in the device page table from now on, unless somebody else has invalidated it since.
 * @kernel dmirror_migrate_finalize_and_map
 */
export function mapMigrated(context: MirrorContext, args: MigrateVmaArgs, watch: MigrationWatch): void {
  context.mutex.assertHeld();
  for (let i = 0; i < args.end - args.start; i++) {
    if ((migratePfnAt(args.src, i) & MigratePfnFlag.MIGRATE) === 0) continue;
    const entry = migratePfnAt(args.dst, i);
    const pfn = migratePfnToPfn(entry);
    if (pfn === NO_PFN) continue;
    const tag = (entry & MigratePfnFlag.WRITE) !== 0 ? MirrorTag.Write : MirrorTag.None;
    const npages = pagesOf(entry);
    for (let j = 0; j < npages; j++) {
      const page = (args.start + i + j) as Vpn;
      if (!watch.isSpoilt(page)) context.table.set(page, (pfn + j) as Pfn, tag);
    }
  }
}

/** Before finalize: siblings forget the pages that did not move after all. */
export function forgetUnmoved(context: MirrorContext, args: MigrateVmaArgs): void {
  for (const other of siblings(context, args)) {
    for (let i = 0; i < args.end - args.start; i++) {
      const moved = (migratePfnAt(args.src, i) & MigratePfnFlag.MIGRATE) !== 0;
      if (moved || args.dst[i] === 0) continue;
      const npages = pagesOf(migratePfnAt(args.dst, i));
      for (let j = 0; j < npages; j++) other.table.erase((args.start + i + j) as Vpn);
    }
  }
}

/**
 * Other contexts of the device and the address space in which pages move: they hear nothing of the device's own migrations. The kernel leaves
 * their entries to the old pages, which are free then; here they follow the page in the step that copies it, and so read the same.
 */
function siblings(context: MirrorContext, args: MigrateVmaArgs): MirrorContext[] {
  return [...context.device.contexts].filter((other) => other !== context && other.mm === args.mm);
}

/** How many pages an entry stands for. */
export function pagesOf(entry: MigratePfn): number {
  return (entry & MigratePfnFlag.COMPOUND) !== 0 ? PMD_PAGES : 1;
}

/** A locked folio of RAM with one reference; `NO_PFN` when there is none. */
function allocSystemPage(context: MirrorContext, order: number): Pfn {
  const { kernel } = context.device;
  if (context.takeFailure()) return NO_PFN;
  const pfn = kernel.allocFolio(order);
  if (pfn !== NO_PFN) kernel.folioLocks.lockNew(pfn);
  return pfn;
}

/** A hole arrives as zeros. */
function fill(context: MirrorContext, from: Pfn, to: Pfn, npages: number): void {
  const { memory } = context.device.kernel;
  if (from === NO_PFN) memory.zeroPages(to, npages);
  else memory.copyPages(to, from, npages);
}
