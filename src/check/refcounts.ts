/** M2: a folio's reference count is the number of its holders, and a page of RAM is free exactly when it has none. */

import { PMD_PAGES } from '../base/units.js';
import { pfn as pfnOf } from '../memory/pfn.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by folio_get and folio_put: each entry, cache and pin takes its reference before it shows the page to others and gives it back afterwards, and the page
 * goes to the allocator with the last one. Migration compares the count with the holders that it knows, so one too many blocks it for ever.
 * At rest nobody isolates a page or faults on it, so entries, caches, pins and the kernel's own zero pages are all its holders.
 */
export function checkRefcounts(view: MachineView): Rule[] {
  const rule = new Rule('M2', 'folios', 'in use');
  const { folios, kernel } = view;
  rule.look('folios', view.freeFrames);
  view.forEachFolio((pfn, zoneId) => {
    rule.look('folios');
    const refs = folios.refcount(pfn);
    if (refs !== 0) rule.look('in use');
    const holders = view.references.of(pfn);
    if (refs !== holders) {
      rule.violate(
        view.subjectOf(pfn),
        `reference count ${refs}, but ${holders} holders: ${folios.describe(pfn)}`,
      );
    }
    if (zoneId !== view.layout.ram.id) return;
    // The pool keeps what it has for hugetlb mappings without references.
    const free = kernel.ram.isFree(pfn) || kernel.hugetlb.isFree(pfn);
    if (free === (refs === 0)) return;
    rule.violate(
      { pfn },
      free
        ? `free in the allocator, but has ${refs} references`
        : 'not free in the allocator, but nobody holds it',
    );
  });
  checkFree(view, rule);
  return [rule];
}

/** The allocator has as many free pages as the metadata; only where it does not are they looked at one by one. */
function checkFree({ kernel, layout, used }: MachineView, rule: Rule): void {
  const { ram, hugetlb } = kernel;
  let inUse = 0;
  for (const pfn of used) if (layout.zoneOf(pfn).id === layout.ram.id && !ram.isFree(pfn)) inUse++;
  if (ram.countFree() + hugetlb.free * PMD_PAGES + inUse === layout.ram.pages) return;
  const held = new Set<number>(used);
  for (let i = 0; i < layout.ram.pages; i++) {
    const pfn = pfnOf(layout.ram.firstPfn + i);
    rule.require(
      held.has(pfn) || ram.isFree(pfn) || hugetlb.isFree(pfn),
      { pfn },
      () => 'not free in the allocator, but nobody holds it',
    );
  }
}
