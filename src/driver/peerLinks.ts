/** Which devices reach one another's memory over a fast link. */

import type { HasInterconnect } from '../drm/pagemap/pagemapOwner.js';
import type { GpuHandle } from './gpuHandle.js';

/** All devices among one another, none, or just these pairs of device numbers. */
export type PeerLinks = 'peer' | 'none' | readonly (readonly [number, number])[];

/** A device always reaches itself. @kernel xe_has_interconnect */
export function areLinked(links: PeerLinks, a: number, b: number): boolean {
  if (a === b || links === 'peer') return true;
  return links !== 'none' && links.some(([x, y]) => (x === a && y === b) || (x === b && y === a));
}

export function hasInterconnect(links: PeerLinks): HasInterconnect<GpuHandle> {
  return (a, b) => areLinked(links, a.driver.index, b.driver.index);
}
