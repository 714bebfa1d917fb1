/** Going through what is mapped of a span of a process's addresses, range by range, as prefetches do. */

import { Errno } from '../base/errno.js';
import { PMD_PAGES, type Vpn } from '../base/units.js';
import type { Mm } from '../mm/process/mm.js';
import { pteFromWord, pteIsHuge, pteIsMapping, ptePfn } from '../mm/table/pte.js';
import type { Steps } from '../sim/steps.js';
import { DriverStep, type MigrateTrigger } from './driverStep.js';

/**
 * `one` serves a page and what lies around it, and returns the next page that it has not served, or an errno. What is not mapped, or not any more,
 * is passed over. @kernel prefetch_ranges
 */
export function* walkMapped(
  mm: Mm,
  start: Vpn,
  end: Vpn,
  one: (page: Vpn) => Steps<Vpn | Errno>,
): Steps<Errno> {
  for (let page = nextMapped(mm, start); page < end; page = nextMapped(mm, page)) {
    const next = yield* one(page);
    if (next === Errno.EFAULT && mm.vmas.find(page) === null) continue;
    if (next < 0) return next as Errno;
    page = next as Vpn;
  }
  return Errno.OK;
}

/** Says why pages of the span are about to move: one notice per area, as drivers migrate area by area. @kernel kfd_smi_event_migration_start */
export function noteMigration(mm: Mm, start: Vpn, end: Vpn, trigger: MigrateTrigger): void {
  const { sched } = mm.kernel;
  for (let page = nextMapped(mm, start); page < end; page = nextMapped(mm, page)) {
    const stop = Math.min(end, mm.vmas.find(page)?.end ?? end);
    sched.at(DriverStep.migrateStart, page, stop - page, mm.id, trigger);
    page = stop as Vpn;
  }
}

/** The first page of the half-open span that lies in device memory, as the CPU knows it; its end when there is none. */
export function firstOnDevice({ pageTable, kernel }: Mm, start: Vpn, end: Vpn): Vpn {
  const { layout } = kernel.memory;
  let page: number = pageTable.nextPopulated(start, end);
  for (; page < end; page = pageTable.nextPopulated(page + 1, end)) {
    const pte = pteFromWord(pageTable.get(page));
    if (pteIsMapping(pte) && layout.isDevice(ptePfn(pte))) break;
  }
  return page as Vpn;
}

/** How many pages of the half-open span the CPU's page table has in the memory of a device, or with -1 in RAM: what is about to move is nowhere. @kernel show_numa_map */
export function pagesIn(mm: Mm, start: Vpn, end: Vpn, device: number): number {
  const { pageTable } = mm;
  let pages = 0;
  for (let page: number = pageTable.nextPopulated(start, end); page < end; ) {
    const tableEnd = Math.min(end, page - (page % PMD_PAGES) + PMD_PAGES);
    pages += pagesInTable(mm, page, tableEnd, device);
    page = pageTable.nextPopulated(tableEnd, end);
  }
  return pages;
}

/** Of one table, whose entries are one leaf or a page each. */
function pagesInTable({ pageTable, kernel }: Mm, start: number, end: number, device: number): number {
  const { layout } = kernel.memory;
  const slot = pageTable.slot(start);
  let pages = 0;
  for (let i = 0; i < end - start; i++) {
    const pte = pteFromWord(pageTable.read(slot + i));
    if (!pteIsMapping(pte)) continue;
    const isThere = layout.zoneOf(ptePfn(pte)).deviceIndex === device && !kernel.isZeroPage(ptePfn(pte));
    if (pteIsHuge(pte)) return isThere ? end - start : 0;
    if (isThere) pages++;
  }
  return pages;
}

/** Also beyond what a caller asks for that knows no end of addresses. */
const NOWHERE = Number.POSITIVE_INFINITY as Vpn;

/** The first mapped page that is not below `page`; beyond all spans when there is none. */
function nextMapped(mm: Mm, page: Vpn): Vpn {
  if (mm.vmas.find(page) !== null) return page;
  return mm.vmas.firstFrom(page)?.start ?? NOWHERE;
}
