/** What a replay touches and when: worked out from the recorded program alone, so that every actor has the same plan. */

import { assert } from '../base/assert.js';
import { type Vpn, vpn } from '../base/units.js';
import type { GhostPages } from './ghost/ghostPages.js';
import { type ReplayOp, type ReplayOps, replayOps } from './replayOps.js';
import { mainProgram } from './trace/mmTrace.js';
import { type PageInterval, PageIntervals } from './trace/pageIntervals.js';
import { type TraceFootprint, traceFootprint } from './trace/traceFootprint.js';
import { Prot } from './workload.js';
import type { TraceConfig } from './workloadConfig.js';

/** Ops that are replayed while one launch runs on every device. */
export const OPS_PER_CHUNK = 100;

/** Indexes into {@link TracePlan.pages}. */
export interface OpTouches {
  /** Loaded and verified before the op, which may take them away. */
  readonly before: readonly number[];
  /** Stored to after the op, which made them writable. */
  readonly after: readonly number[];
}

export interface TracePlan extends GhostPages {
  readonly replay: ReplayOps;
  readonly footprint: TraceFootprint;
  readonly touches: readonly OpTouches[];
  readonly chunks: number;
  /** Pages that the devices access while a chunk is replayed: those that are readable at some time in it. */
  readonly chunkPages: readonly (readonly number[])[];
}

/** Plans are immutable and the same for the same configuration; the board and the workload both ask. */
const plans = new WeakMap<TraceConfig, TracePlan>();

export function tracePlan(config: TraceConfig): TracePlan {
  const known = plans.get(config);
  if (known !== undefined) return known;
  const plan = makePlan(config);
  plans.set(config, plan);
  return plan;
}

function makePlan(config: TraceConfig): TracePlan {
  const program = mainProgram(config.trace);
  const footprint = traceFootprint(program);
  const replay = replayOps(program, footprint);
  const pages = collectTouchedPages(replay.ops, config.touchPages);
  return new Plan(replay, footprint, config.touchPages, pages);
}

/** What is mapped how, page by page, assuming that every op succeeds. */
class Protections {
  readonly readable = new PageIntervals();
  readonly writable = new PageIntervals();

  apply(op: ReplayOp): void {
    switch (op.kind) {
      case 'map':
      case 'protect':
        this.protect(op.start, op.start + op.npages, op.prot);
        return;
      case 'unmap':
        this.protect(op.start, op.start + op.npages, Prot.None);
        return;
      case 'drop':
      case 'touch':
        return;
      case 'remap':
        this.remap(op);
    }
  }

  private remap(op: ReplayOp & { kind: 'remap' }): void {
    const prot = this.protOf(op.from);
    if (!op.keepsOld) this.protect(op.from, op.from + op.fromPages, Prot.None);
    this.protect(op.to, op.to + op.toPages, prot);
  }

  private protOf(page: number): number {
    return (contains(this.readable, page) ? Prot.Read : 0) | (contains(this.writable, page) ? Prot.Write : 0);
  }

  private protect(start: number, end: number, prot: number): void {
    set(this.readable, start, end, (prot & Prot.Read) !== 0);
    set(this.writable, start, end, (prot & Prot.Read) !== 0 && (prot & Prot.Write) !== 0);
  }
}

function set(pages: PageIntervals, start: number, end: number, member: boolean): void {
  if (member) pages.add(start, end);
  else pages.remove(start, end);
}

function contains(pages: PageIntervals, page: number): boolean {
  return pages.gaps(page, page + 1).length === 0;
}

/** The stretch that an op makes accessible, if any: where its touches go. */
function madeAccessible(op: ReplayOp): { start: number; npages: number } | null {
  switch (op.kind) {
    case 'map':
    case 'protect':
      return op;
    case 'touch':
      return op.write ? op : null;
    case 'remap':
      return { start: op.to, npages: op.toPages };
    default:
      return null;
  }
}

/** The stretch whose content or protection an op changes. */
function changedBy(op: ReplayOp): { start: number; npages: number } {
  return op.kind === 'remap' ? { start: op.from, npages: op.fromPages } : op;
}

/** Spread evenly over the stretch, its first page included. */
function spread(start: number, npages: number, count: number): number[] {
  const touched = Math.min(npages, count);
  return Array.from({ length: touched }, (_, i) => start + Math.floor((i * npages) / touched));
}

/** Of a call as many as the configuration wants at most; what the program itself touched is no choice. */
function touchesAt(op: ReplayOp, touchPages: number): number {
  return op.kind === 'touch' ? 1 : touchPages;
}

function touchesOf(op: ReplayOp, writable: PageIntervals, touchPages: number): number[] {
  const stretch = madeAccessible(op);
  if (stretch === null) return [];
  return spread(stretch.start, stretch.npages, touchesAt(op, touchPages)).filter((page) =>
    contains(writable, page),
  );
}

/** Where a page is after a move; null if the op does not move it. */
export function movedTo(op: ReplayOp & { kind: 'remap' }, page: number): Vpn | null {
  if (op.from === op.to || page < op.from) return null;
  const at = page - op.from;
  return at < Math.min(op.fromPages, op.toPages) ? vpn(op.to + at) : null;
}

interface TouchedPages {
  /** Ascending. */
  readonly pages: Float64Array;
  readonly movable: ReadonlySet<number>;
}

/** Every page that is touched, and every page that such a page moves to. */
function collectTouchedPages(ops: readonly ReplayOp[], touchPages: number): TouchedPages {
  const protections = new Protections();
  const pages = new Set<number>();
  const movable = new Set<number>();
  for (const op of ops) {
    if (op.kind === 'remap') addMoved(op, pages, movable);
    protections.apply(op);
    if (op.kind === 'touch' && contains(protections.readable, op.start)) pages.add(op.start);
    for (const page of touchesOf(op, protections.writable, touchPages)) pages.add(page);
  }
  // Pages of either end of a move that are touched at any other time are movable too: what is there may have come from elsewhere.
  for (const op of ops) {
    if (op.kind !== 'remap' || op.from === op.to) continue;
    for (const page of pages) {
      if (isWithin(page, op.from, op.fromPages) || isWithin(page, op.to, op.toPages)) movable.add(page);
    }
  }
  return { pages: Float64Array.from(pages).sort(), movable };
}

function addMoved(op: ReplayOp & { kind: 'remap' }, pages: Set<number>, movable: Set<number>): void {
  for (const page of [...pages]) {
    const target = movedTo(op, page);
    if (target === null) continue;
    pages.add(target);
    movable.add(page).add(target);
  }
}

function isWithin(page: number, start: number, npages: number): boolean {
  return page >= start && page < start + npages;
}

class Plan implements TracePlan {
  readonly touches: OpTouches[] = [];
  readonly chunks: number;
  readonly chunkPages: number[][] = [];
  private readonly pages: Float64Array;
  private readonly movable: Uint8Array;

  constructor(
    readonly replay: ReplayOps,
    readonly footprint: TraceFootprint,
    private readonly touchPages: number,
    { pages, movable }: TouchedPages,
  ) {
    this.pages = pages;
    this.movable = Uint8Array.from(pages, (page) => (movable.has(page) ? 1 : 0));
    this.chunks = Math.ceil(replay.ops.length / OPS_PER_CHUNK);
    this.planOps();
  }

  get count(): number {
    return this.pages.length;
  }

  get spans(): readonly PageInterval[] {
    return this.footprint.everMapped;
  }

  pageAt(index: number): Vpn {
    const page = this.pages[index];
    assert(page !== undefined, () => `touched page ${index} of ${this.pages.length}`);
    return vpn(page);
  }

  indexOf(page: number): number {
    const index = this.firstAtLeast(page);
    return this.pages[index] === page ? index : -1;
  }

  firstAtLeast(page: number): number {
    let low = 0;
    let high = this.pages.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.pages[middle] < page) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  isMovable(index: number): boolean {
    return this.movable[index] === 1;
  }

  private planOps(): void {
    const protections = new Protections();
    const { ops } = this.replay;
    for (let chunk = 0; chunk < this.chunks; chunk++) {
      const accessible = new Set(this.indexesIn(protections.readable.toArray()));
      for (const op of ops.slice(chunk * OPS_PER_CHUNK, (chunk + 1) * OPS_PER_CHUNK)) {
        const before = this.loadsBefore(op, protections.readable);
        protections.apply(op);
        const touched = touchesOf(op, protections.writable, this.touchPages);
        const after = touched.map((page) => this.indexOf(page));
        this.touches.push({ before, after });
        for (const index of after) accessible.add(index);
      }
      this.chunkPages.push([...accessible].sort((a, b) => a - b));
    }
  }

  private loadsBefore(op: ReplayOp, readable: PageIntervals): number[] {
    const { start, npages } = changedBy(op);
    const loads: number[] = [];
    const end = start + npages;
    for (let i = this.firstAtLeast(start); i < this.pages.length && this.pages[i] < end; i++) {
      if (loads.length === touchesAt(op, this.touchPages)) break;
      if (contains(readable, this.pageAt(i))) loads.push(i);
    }
    return loads;
  }

  private indexesIn(intervals: readonly PageInterval[]): number[] {
    const indexes: number[] = [];
    for (const { start, end } of intervals) {
      for (let i = this.firstAtLeast(start); i < this.pages.length && this.pages[i] < end; i++) {
        indexes.push(i);
      }
    }
    return indexes;
  }
}
