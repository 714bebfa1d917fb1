/** Makes allocations fail on purpose: each site of the mm that allocates asks here by name. */

import { assert } from '../base/assert.js';

/** What is about to be allocated. @kernel should_failslab, should_fail_alloc_page */
export const AllocSite = {
  /** One page of RAM. */
  RamPage: 0,
  /** A folio of RAM of order 1 or more; its caller can often fall back to single pages. */
  HugePage: 1,
  PageTable: 2,
  /** A virtual memory area. @kernel vm_area_alloc */
  Area: 3,
  AnonVma: 4,
  SwapSlot: 5,
  /** Device memory; its driver asks. */
  DevicePage: 6,
  /** An address space. @kernel mm_alloc */
  Mm: 7,
  /** An address for DMA. @kernel dma_map_page */
  IoPage: 8,
  /** A notifier or range of a mirror, an array of its pages, or what a driver keeps per migration. @kernel drm_gpusvm_notifier_alloc, drm_gpusvm_range_alloc, drm_pagemap_zdd_alloc */
  MirrorObject: 9,
} as const;
export type AllocSite = (typeof AllocSite)[keyof typeof AllocSite];

const NEVER = 0;

/** Asked once per allocation, before anything has changed; true makes that allocation return -ENOMEM. */
export class FailureInjector {
  /** Allocations asked for since the last {@link failNth}, failed ones included. */
  asked = 0;
  /** Allocations that were made to fail since then. */
  injected = 0;
  /** The site of the last failure, for reports; null for none. */
  lastSite: AllocSite | null = null;
  private nth = NEVER;
  private readonly oneShots: number[] = Object.values(AllocSite).map(() => 0);

  /** The next allocation of this site fails, or the next `times` ones. */
  failNext(site: AllocSite, times = 1): void {
    this.oneShots[site] += times;
  }

  /** The `n`-th allocation from now on fails, whatever its site; the first is 1. Starts the counts afresh. */
  failNth(n: number): void {
    assert(n >= 1, 'allocations are counted from 1');
    this.nth = n;
    this.asked = 0;
    this.injected = 0;
    this.lastSite = null;
  }

  /** Nothing fails any more; the counts stay. */
  stop(): void {
    this.nth = NEVER;
    this.oneShots.fill(0);
  }

  shouldFail(site: AllocSite): boolean {
    this.asked++;
    const oneShot = this.oneShots[site] > 0;
    if (oneShot) this.oneShots[site]--;
    if (!oneShot && this.asked !== this.nth) return false;
    this.injected++;
    this.lastSite = site;
    return true;
  }
}

/** An allocator that can be made to fail. */
export interface Injectable {
  /** Null where nothing ever fails on purpose, which costs no more than the look at it. */
  injector: FailureInjector | null;
}

/** For reports. */
export function allocSiteName(site: AllocSite): string {
  const found = Object.entries(AllocSite).find(([, value]) => value === site);
  assert(found !== undefined, () => `site ${site} has no name`);
  return found[0];
}
