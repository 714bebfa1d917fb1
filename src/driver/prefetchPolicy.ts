/** Prefetch policies: what a device is given before it asks. */

import type { Vpn } from '../base/units.js';

/** What a policy is asked: a fault of a device was served. Devices are numbers, from 0. */
export interface PrefetchQuestion {
  /** The device that faulted. */
  readonly device: number;
  /** The devices that mirror the process, the faulting one among them. */
  readonly members: readonly number[];
  /** The process's number. */
  readonly process: number;
  /** The page of the process's address space. */
  readonly page: Vpn;
  readonly write: boolean;
  /** One past the range that the fault has brought. */
  readonly servedEnd: Vpn;
  /** One past the mapping that the page lies in. */
  readonly areaEnd: Vpn;
}

/** Asked once for each fault that was served, under no lock; must not change anything. */
export interface PrefetchPolicy {
  readonly name: string;
  /** So many of the pages from `servedEnd` on are brought to the device, up to the end of the mapping; 0 for none. */
  pagesAhead(question: PrefetchQuestion): number;
}

/** So many pages, whatever was accessed. */
export function prefetchAhead(npages: number): PrefetchPolicy {
  return { name: `${npages} pages ahead`, pagesAhead: () => npages };
}
