/** The pool of hugetlb pages: free and used ones are all, promises can be kept, and what is in use is whole and on no LRU. */

import { PMD_ORDER } from '../base/units.js';
import { FolioFlag } from '../memory/folios.js';
import type { HugetlbReservation } from '../mm/hugetlb/hugetlbReservation.js';
import type { Kernel } from '../mm/kernel.js';
import { Rule } from './rule.js';

/** At rest, when nobody holds a huge page that is not mapped yet. */
export function checkHugetlb(kernel: Kernel): Rule[] {
  const rule = new Rule('hugetlb', 'huge pages', 'promised');
  const { hugetlb, folios } = kernel;
  rule.look('huge pages', hugetlb.total);
  rule.look('promised', hugetlb.reserved);
  let used = 0;
  for (const pfn of hugetlb.pages) {
    rule.require(!kernel.ram.isFree(pfn), { pfn }, () => 'a page of the pool is free for others');
    if (folios.refcount(pfn) === 0) continue;
    used++;
    const isWhole = folios.testFlag(pfn, FolioFlag.Hugetlb) && folios.order(pfn) === PMD_ORDER;
    rule.require(isWhole, { pfn }, () => `no huge page of the pool any more: ${folios.describe(pfn)}`);
    rule.require(!folios.testFlag(pfn, FolioFlag.Lru), { pfn }, () => 'a hugetlb page is on the LRU');
  }
  rule.require(used === hugetlb.used, {}, () => `${used} huge pages are in use, ${hugetlb.used} by count`);
  const { free, reserved } = hugetlb;
  rule.require(reserved <= free, {}, () => `${reserved} huge pages are promised, but ${free} are free`);
  const promised = countPromises(kernel);
  rule.require(
    promised === reserved,
    {},
    () => `mappings were promised ${promised} pages, the pool says ${reserved}`,
  );
  return [rule];
}

/** Of every area and file that was promised something. */
function countPromises(kernel: Kernel): number {
  const reservations = new Set<HugetlbReservation>();
  for (const mm of kernel.mms)
    for (const { reservation } of mm.vmas) if (reservation !== null) reservations.add(reservation);
  for (const { reservation } of kernel.pageCache.files)
    if (reservation !== null) reservations.add(reservation);
  let promised = 0;
  for (const { count } of reservations) promised += count;
  return promised;
}
