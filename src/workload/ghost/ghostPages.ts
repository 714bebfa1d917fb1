/** The pages of a workload whose content is tracked store by store, numbered from 0. */

import { type Vpn, vpn } from '../../base/units.js';
import type { PageInterval } from '../trace/pageIntervals.js';

export interface GhostPages {
  readonly count: number;
  /** All addresses that expectations cover: the tracked pages, and pages that must hold zeros. Ascending, disjoint. */
  readonly spans: readonly PageInterval[];
  /** Ascending in the index. */
  pageAt(index: number): Vpn;
  /** -1 for a page that is not tracked. */
  indexOf(page: number): number;
  /** Index of the first tracked page that is `page` or above; `count` if none is. */
  firstAtLeast(page: number): number;
  /**
   * Whether content comes to or leaves this address by mremap. Only the CPU thread, which makes these moves, stores there.
   */
  isMovable(index: number): boolean;
}

/** One stretch, wholly tracked. */
export class GhostSpan implements GhostPages {
  readonly spans: readonly PageInterval[];

  constructor(
    readonly start: Vpn,
    readonly count: number,
  ) {
    this.spans = [{ start, end: vpn(start + count) }];
  }

  pageAt(index: number): Vpn {
    return vpn(this.start + index);
  }

  indexOf(page: number): number {
    const index = page - this.start;
    return index >= 0 && index < this.count ? index : -1;
  }

  firstAtLeast(page: number): number {
    return Math.min(Math.max(page - this.start, 0), this.count);
  }

  isMovable(): boolean {
    return false;
  }
}
