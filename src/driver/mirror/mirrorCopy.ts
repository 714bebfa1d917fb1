/** The driver's part of a migration: a destination for each page that was collected, filled from its source. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  type Pfn,
} from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import type { MigrateVmaArgs } from '../../mm/migrateVma.js';
import type { MirrorContext } from './mirrorContext.js';
import { MirrorStep } from './mirrorStep.js';
import { MirrorTag } from './mirrorTable.js';

/** Atomic. Pages without memory for them get no destination, and stay. @kernel dmirror_migrate_alloc_and_copy */
export function copyToDevice(context: MirrorContext, args: MigrateVmaArgs): void {
  const { device } = context;
  const npages = args.end - args.start;
  for (let i = 0; i < npages; i++) {
    const entry = migratePfnAt(args.src, i);
    if ((entry & MigratePfnFlag.MIGRATE) === 0) continue;
    const from = migratePfnToPfn(entry);
    const to = device.allocPage(context);
    if (to === NO_PFN) continue;
    fill(context, from, to);
    for (const other of siblings(context, args)) other.table.follow((args.start + i) as Vpn, to);
    const writable = from === NO_PFN ? args.vma.isWritable : (entry & MigratePfnFlag.WRITE) !== 0;
    args.dst[i] = migratePfn(to, writable ? MigratePfnFlag.WRITE : 0);
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
  let errno: Errno = Errno.OK;
  for (let i = 0; i < npages; i++) {
    const entry = migratePfnAt(args.src, i);
    const from = migratePfnToPfn(entry);
    if (from === NO_PFN || (entry & MigratePfnFlag.MIGRATE) === 0) continue;
    const { kind } = device.kernel.memory.layout.zoneOf(from);
    assert(kind !== ZoneKind.System, 'a page of RAM is to migrate to RAM');
    const to = allocSystemPage(context);
    if (to === NO_PFN) {
      errno = Errno.ENOMEM;
      continue;
    }
    context.table.erase((args.start + i) as Vpn);
    fill(context, from, to);
    for (const other of siblings(context, args)) other.table.follow((args.start + i) as Vpn, to);
    args.dst[i] = migratePfn(to, entry & MigratePfnFlag.WRITE);
  }
  device.kernel.sched.at(MirrorStep.copied, args.start, npages, device.index);
  return errno;
}

/** Under the mutex: what did migrate is in the device page table from now on. @kernel dmirror_migrate_finalize_and_map */
export function mapMigrated(context: MirrorContext, args: MigrateVmaArgs): void {
  context.mutex.assertHeld();
  for (let i = 0; i < args.end - args.start; i++) {
    if ((migratePfnAt(args.src, i) & MigratePfnFlag.MIGRATE) === 0) continue;
    const entry = migratePfnAt(args.dst, i);
    const pfn = migratePfnToPfn(entry);
    if (pfn === NO_PFN) continue;
    const tag = (entry & MigratePfnFlag.WRITE) !== 0 ? MirrorTag.Write : MirrorTag.None;
    context.table.set((args.start + i) as Vpn, pfn, tag);
  }
}

/** Before finalize: siblings forget the pages that did not move after all. */
export function forgetUnmoved(context: MirrorContext, args: MigrateVmaArgs): void {
  for (const other of siblings(context, args)) {
    for (let i = 0; i < args.end - args.start; i++) {
      const moved = (migratePfnAt(args.src, i) & MigratePfnFlag.MIGRATE) !== 0;
      if (!moved && args.dst[i] !== 0) other.table.erase((args.start + i) as Vpn);
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

/** A locked page of RAM with one reference; `NO_PFN` when there is none. */
function allocSystemPage(context: MirrorContext): Pfn {
  const { kernel } = context.device;
  if (context.takeFailure()) return NO_PFN;
  const pfn = kernel.allocPage();
  if (pfn !== NO_PFN) kernel.folioLocks.lockNew(pfn);
  return pfn;
}

/** A hole arrives as zeros. */
function fill(context: MirrorContext, from: Pfn, to: Pfn): void {
  const { memory } = context.device.kernel;
  if (from === NO_PFN) memory.zeroPages(to, 1);
  else memory.copyPages(to, from, 1);
}
