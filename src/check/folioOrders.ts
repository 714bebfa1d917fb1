/** M11: what the metadata says of a folio's order is so for each of its pages. */

import { FolioFlag } from '../memory/folios.js';
import { formatPfn, pfn as pfnOf } from '../memory/pfn.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by prep_compound_page and zone_device_page_init, which set head and tails together, and by the buddy allocator, whose blocks are aligned to
 * their size. A page with the order of a former folio would be freed, mapped or counted with pages that are somebody else's.
 */
export function checkFolioOrders(view: MachineView): Rule[] {
  const rule = new Rule('M11', 'folios');
  const { folios } = view;
  for (const page of view.used) {
    if (folios.testFlag(page, FolioFlag.Tail)) {
      rule.look('folios');
      const head = folios.headOf(page);
      const isInside =
        head < page && page < head + folios.npages(head) && folios.testFlag(head, FolioFlag.Large);
      rule.require(
        isInside,
        { pfn: page },
        () => `a tail page of ${formatPfn(head)}, which has no such page`,
      );
      continue;
    }
    const order = folios.order(page);
    const isLarge = folios.testFlag(page, FolioFlag.Large);
    rule.look('folios');
    rule.require(
      isLarge === order > 0 && page % (1 << order) === 0,
      { pfn: page },
      () => `a folio of order ${order} that is ${isLarge ? '' : 'not '}marked as large`,
    );
    for (let tail = page + 1; tail < page + (1 << order); tail++) {
      const isTail = folios.testFlag(pfnOf(tail), FolioFlag.Tail) && folios.headOf(pfnOf(tail)) === page;
      rule.require(
        isTail,
        { pfn: pfnOf(tail) },
        () => `no tail of the folio of order ${order} at ${formatPfn(page)}`,
      );
    }
  }
  return [rule];
}
