/** What drm_gpusvm asks of HMM: the same of each page, under the notifier of a window. */

import type { Vpn } from '../../base/units.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
import type { HmmRange } from '../../mm/mirror/hmm.js';
import type { IntervalNotifier } from '../../mm/mirror/mmuNotifier.js';
import type { Mm } from '../../mm/process/mm.js';

/** `pfns` is zeroed: the walk keeps some bits of what it finds there. */
export function hmmRequest(
  mm: Mm,
  notifier: IntervalNotifier,
  start: Vpn,
  end: Vpn,
  pfns: Uint32Array,
  defaultFlags: number,
  devPrivateOwner: PagemapOwner,
): HmmRange {
  return { mm, notifier, notifierSeq: 0, start, end, pfns, defaultFlags, pfnFlagsMask: 0, devPrivateOwner };
}
