/** What a replay of accesses maps, and who makes which access when: worked out from the trace alone, so that every actor has the same plan. */

import { assert } from '../../base/assert.js';
import { type Vpn, vpn } from '../../base/units.js';
import type { GhostPages } from '../ghost/ghostPages.js';
import type { PageInterval } from '../trace/pageIntervals.js';
import type { AccessesConfig } from '../workloadConfig.js';

/** Pages that are this near are mapped together: a program has few large areas rather than many small ones. */
const NEAR_PAGES = 16;

/** Plans are immutable and the same for the same configuration; the board and the workload both ask. */
const plans = new WeakMap<AccessesConfig, AccessPlan>();

export function accessPlan(config: AccessesConfig): AccessPlan {
  const known = plans.get(config);
  if (known !== undefined) return known;
  const plan = new AccessPlan(config);
  plans.set(config, plan);
  return plan;
}

export class AccessPlan implements GhostPages {
  readonly spans: readonly PageInterval[];
  /** Stretches of the trace: nobody begins with one before all have ended the one before it. */
  readonly windows: number;
  /** Ascending, each once. */
  private readonly pages: Float64Array;
  /** By actor, -1 for the CPU: its accesses, in order. */
  private readonly byActor = new Map<number, Uint32Array>();

  constructor(private readonly config: AccessesConfig) {
    const { pages, devices } = config.trace;
    this.pages = Float64Array.from(new Set(pages)).sort();
    this.spans = mergeNear(this.pages);
    this.windows = Math.ceil(pages.length / config.window);
    for (const actor of new Set(devices)) {
      this.byActor.set(
        actor,
        Uint32Array.from(devices.keys()).filter((row) => devices[row] === actor),
      );
    }
  }

  get count(): number {
    return this.pages.length;
  }

  pageAt(index: number): Vpn {
    const page = this.pages[index];
    assert(page !== undefined, () => `accessed page ${index} of ${this.pages.length}`);
    return vpn(page);
  }

  indexOf(page: number): number {
    const index = this.firstAtLeast(page);
    return this.pages[index] === page ? index : -1;
  }

  firstAtLeast(page: number): number {
    return lowerBound(this.pages, page);
  }

  /** Nothing is ever remapped. */
  isMovable(): boolean {
    return false;
  }

  /** The accesses of an actor in a window, as rows of the trace. */
  rowsOf(actor: number, window: number): Uint32Array {
    const rows = this.byActor.get(actor);
    if (rows === undefined) return new Uint32Array(0);
    const { window: size } = this.config;
    return rows.subarray(lowerBound(rows, window * size), lowerBound(rows, (window + 1) * size));
  }
}

/** Index of the first element that is at least `value`. */
function lowerBound(sorted: Float64Array | Uint32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function mergeNear(pages: Float64Array): PageInterval[] {
  const spans: { start: Vpn; end: Vpn }[] = [];
  for (const page of pages) {
    const last = spans.at(-1);
    if (last !== undefined && page - last.end < NEAR_PAGES) last.end = vpn(page + 1);
    else spans.push({ start: vpn(page), end: vpn(page + 1) });
  }
  return spans;
}
