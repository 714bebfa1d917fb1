/** M9: what is on the LRU is RAM that somebody holds. */

import { FolioFlag } from '../memory/folios.js';
import { ZoneKind } from '../memory/zone.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by the LRU's flag, which is set when a folio is new to somebody and cleared when it is isolated or its last reference goes: reclaim takes pages from the
 * list without asking, so what is there must be held and evictable. Device pages are given back to their driver, not to reclaim, and are never added.
 */
export function checkLru(view: MachineView): Rule[] {
  const rule = new Rule('M9', 'LRU folios');
  const { folios, layout } = view;
  view.forEachFolio((pfn) => {
    if (!folios.testFlag(pfn, FolioFlag.Lru)) return;
    rule.look('LRU folios');
    const isRam = layout.zoneOf(pfn).kind === ZoneKind.System;
    if (!isRam) rule.violate({ pfn }, 'device memory is on the LRU');
    const held = folios.refcount(pfn) > 0 && (folios.mapcount(pfn) > 0 || view.references.of(pfn) > 0);
    if (!held) rule.violate({ pfn }, `on the LRU, but nobody has it: ${folios.describe(pfn)}`);
  });
  return [rule];
}
