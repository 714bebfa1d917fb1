/** How a mirror that is bound meets the mirrors that are there: it becomes one with those of which nothing was said. */

import type { Vpn } from '../../base/units.js';
import type { PageSpan } from '../../drm/gpuvm/addressRange.js';
import type { XeMadvise } from '../attributes/xeMadvise.js';
import type { DriverVa } from './driverVa.js';

/** The span, and the mirrors that it touches or begins and ends in, as far as they have default attributes. @kernel xe_vm_find_cpu_addr_mirror_vma_range */
export function withMirrorsBeside(
  { start, end }: PageSpan,
  vaAt: (page: number) => DriverVa | null,
  said: XeMadvise | null,
): PageSpan {
  const below = untoldMirror(start - 1, vaAt, said);
  const above = untoldMirror(end, vaAt, said);
  return { start: below?.start ?? start, end: above?.end ?? end };
}

/** The part of the mirror around a page of which nothing was said; null where there is none. */
function untoldMirror(
  page: number,
  vaAt: (page: number) => DriverVa | null,
  said: XeMadvise | null,
): PageSpan | null {
  const va = page < 0 ? null : vaAt(page);
  if (va?.kind !== 'mirror') return null;
  if (said === null) return va;
  return said.find(page as Vpn) === undefined
    ? said.uniform(page as Vpn, va.start as Vpn, va.end as Vpn)
    : null;
}

/** The parts of the span that lose what was said of them, while it still holds beyond an end of the span: areas that would have to be split. */
export function advisedAcross({ start, end }: PageSpan, said: XeMadvise | null): PageSpan[] {
  if (said === null) return [];
  return [...said.map.overlapping(start, end)]
    .filter((entry) => entry.start < start || entry.end > end)
    .map((entry) => ({ start: Math.max(entry.start, start), end: Math.min(entry.end, end) }));
}
