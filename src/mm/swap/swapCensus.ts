/** Compares the swap area with the entries that name its slots, for checkers: at a moment when nobody changes either. */

import { FolioFlag } from '../../memory/folios.js';
import { NO_PFN } from '../../memory/pfn.js';
import type { SwapSlot } from '../../memory/swapArea.js';
import type { CpuEntries } from '../cpuEntries.js';
import type { Kernel } from '../kernel.js';
import { PteKind, pteKind } from '../table/pte.js';
import { swapSlotOf } from './swapCache.js';

/**
 * What is wrong, one sentence each: a slot is counted as often as entries of all address spaces and files name it, an unused slot is free, and the swap
 * cache and its folios agree on who is in it.
 */
export function swapViolations(kernel: Kernel, entries: CpuEntries): string[] {
  const { swapCache, folios } = kernel;
  const named = countEntries(entries);
  for (const { swapped } of kernel.pageCache.files)
    for (const slot of swapped.values()) named.set(slot, (named.get(slot) ?? 0) + 1);
  const wrong: string[] = [];
  for (const slot of named.keys())
    if (!swapCache.area.isUsed(slot)) wrong.push(`an entry names swap slot ${slot}, which is free`);
  for (const { slot, count, folio } of swapCache.area.inUse()) {
    const entries = named.get(slot) ?? 0;
    if (entries !== count)
      wrong.push(`swap slot ${slot} is counted ${count} times, but ${entries} entries name it`);
    if (folio === NO_PFN) continue;
    const knows = swapCache.cached.get(folio) === slot && folios.testFlag(folio, FolioFlag.Swapcache);
    if (!knows) wrong.push(`swap slot ${slot} is cached in ${folios.describe(folio)}, which does not know`);
  }
  for (const [folio, slot] of swapCache.cached) {
    const known = swapCache.area.isUsed(slot) && swapCache.area.folioOf(slot) === folio;
    if (!known)
      wrong.push(`${folios.describe(folio)} is in the swap cache, but its slot ${slot} is not its own`);
  }
  return wrong;
}

function countEntries(entries: CpuEntries): Map<SwapSlot, number> {
  const named = new Map<SwapSlot, number>();
  entries.forEach((_mm, _page, pte) => {
    if (pteKind(pte) !== PteKind.Swap) return;
    const slot = swapSlotOf(pte);
    named.set(slot, (named.get(slot) ?? 0) + 1);
  });
  return named;
}
