/** M2: a folio's reference count is the number of its holders, and a page of RAM is free exactly when it has none. */

import type { Pfn } from '../memory/pfn.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/** At rest nobody isolates, pins or faults on a page, so the entries that map it and the cache that it is in are all its holders; the kernel holds the zero page. */
export function checkRefcounts(view: MachineView): Rule[] {
  const rule = new Rule('M2', 'folios', 'in use');
  const { folios, kernel } = view;
  view.forEachFolio((pfn, zoneId) => {
    rule.look('folios');
    const refs = folios.refcount(pfn);
    if (refs !== 0) rule.look('in use');
    const holders = holdersOf(view, pfn);
    if (refs !== holders) {
      const page = view.pageOf.get(pfn);
      const subject = page === undefined ? { pfn } : { page, pfn };
      rule.violate(subject, `reference count ${refs}, but ${holders} holders: ${folios.describe(pfn)}`);
    }
    if (zoneId !== view.layout.ram.id) return;
    const free = kernel.ram.isFree(pfn);
    rule.require(free === (refs === 0), { pfn }, () =>
      free
        ? `free in the allocator, but has ${refs} references`
        : 'not free in the allocator, but nobody holds it',
    );
  });
  return [rule];
}

function holdersOf(view: MachineView, pfn: Pfn): number {
  return (
    (view.mappings.get(pfn) ?? 0) + (view.cached.has(pfn) ? 1 : 0) + (pfn === view.kernel.zeroPage ? 1 : 0)
  );
}
