/** What a caller of migrate_vma says: which pages of which span, and where their numbers go. */

import type { Vpn } from '../../base/units.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import type { Vma } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { PteKind } from '../table/pte.js';
import { NO_OWNER, type PagemapOwner } from './devPagemap.js';

/** @kernel migrate_vma_direction */
export const MigrateSelect = {
  System: 1,
  DevicePrivate: 2,
  DeviceCoherent: 4,
  /** A whole PMD leaf, or an empty PMD, is one entry; without it large folios are split. @kernel MIGRATE_VMA_SELECT_COMPOUND */
  Compound: 8,
} as const;

/** @kernel migrate_vma */
export interface MigrateVmaArgs {
  readonly mm: Mm;
  readonly vma: Vma;
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  /** Filled by setup. */
  readonly src: Uint32Array;
  /** Zeroed and filled by the caller between setup and pages. */
  readonly dst: Uint32Array;
  /** Of `MigrateSelect`. */
  readonly flags: number;
  readonly pgmapOwner: PagemapOwner;
  /** The locked device page of the CPU fault that this serves, or NO_PFN. */
  readonly faultPage: Pfn;
  /** Entries collected; after setup those that can be migrated. A large folio or a huge hole counts once. */
  cpages: number;
  /** The last leaf table of which pages were collected and flushed. */
  flushedTable?: number;
}

/** Of a part of an area; empty, as setup wants them. `faultPage`: none unless told. */
export function migrateVmaArgs(
  mm: Mm,
  vma: Vma,
  span: Pick<MigrateVmaArgs, 'start' | 'end'>,
  select: Pick<MigrateVmaArgs, 'flags' | 'pgmapOwner'>,
  faultPage: Pfn = NO_PFN,
): MigrateVmaArgs {
  const { start, end } = span;
  const src = new Uint32Array(end - start);
  const dst = new Uint32Array(end - start);
  const { flags, pgmapOwner } = select;
  return { mm, vma, start, end, src, dst, flags, pgmapOwner, faultPage, cpages: 0 };
}

/** Whether the caller wants the page behind an entry of this kind. */
export function isSelected(kernel: Kernel, args: MigrateVmaArgs, kind: PteKind, pfn: Pfn): boolean {
  if (kind === PteKind.DevicePrivate) {
    return (args.flags & MigrateSelect.DevicePrivate) !== 0 && isOwn(kernel, args, pfn);
  }
  if (kind !== PteKind.Present) return false;
  const isRam = kernel.memory.layout.zoneOf(pfn).kind === ZoneKind.System;
  if (isRam) return (args.flags & MigrateSelect.System) !== 0;
  return (args.flags & MigrateSelect.DeviceCoherent) !== 0 && isOwn(kernel, args, pfn);
}

function isOwn(kernel: Kernel, args: MigrateVmaArgs, pfn: Pfn): boolean {
  const owner = kernel.pagemapOf(pfn)?.owner ?? NO_OWNER;
  return owner !== NO_OWNER && owner === args.pgmapOwner;
}
