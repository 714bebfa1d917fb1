/** Where each page was when, as far as a trace tells: first touches, migrations, and what took pages away. */

import { RangeMap } from '../../base/rangeMap.js';
import { PMD_PAGES } from '../../base/units.js';
import { makesRoom } from '../../observe/trace/migrationCauses.js';
import { placeSteps } from '../../observe/trace/spanRules.js';
import type { Trace } from '../../observe/trace/trace.js';
import type { TraceEvent, TraceVisitor } from '../../observe/trace/traceReader.js';
import type { ResidencyData } from './reportData.js';
import { packChanges, type ResidencyChange } from './residencyPacking.js';

/** Numbers of owners. */
export const Owner = { Nowhere: 0, Ram: 1, FirstDevice: 2 } as const;

interface Place {
  readonly owner: number;
  /** Of the allocation that holds the pages, -1 outside device memory. */
  readonly allocation: number;
}

const IN_RAM: Place = { owner: Owner.Ram, allocation: -1 };

/** What a task is about to move. */
interface Moving {
  readonly process: number;
  readonly allocation: number;
}

/** What a migration to a device has collected and not yet put there. */
interface Collected {
  readonly process: number;
  readonly start: number;
  readonly end: number;
  /** What was taken away meanwhile: its copies have nobody. */
  readonly gone: (readonly [start: number, end: number])[];
}

type Pages = RangeMap<Place>;
type Follow = (residency: Residency, args: Float64Array, task: number) => void;

const DEVICES = 256;
const TASKS = 2 ** 22;

export class Residency implements TraceVisitor {
  private readonly followers: readonly (Follow | undefined)[];
  private readonly processes = new Map<number, Pages>();
  private readonly moving = new Map<number, Moving>();
  /** By task. */
  private readonly collected = new Map<number, Collected>();
  private readonly changes: ResidencyChange[] = [];
  private firstProcess: number | null = null;
  private nowNs = 0;

  constructor(private readonly trace: Trace) {
    this.followers = trace.steps.map(({ name }) => followerOf(name));
  }

  onStep(event: TraceEvent, step: number): void {
    const follower = this.followers[step];
    if (follower === undefined) return;
    this.nowNs = event.timeNs;
    follower(this, event.args, event.head.actor * TASKS + event.head.task);
  }

  onBlocked(): void {}
  onWoken(): void {}
  onSpawned(): void {}

  data(): ResidencyData {
    const { devices } = this.trace;
    const owners = ['nowhere', 'RAM', ...Array.from({ length: devices }, (_, i) => `gpu${i}`)];
    return packChanges(owners, this.changes);
  }

  /** A first touch, a copy on write, a page read back. */
  touch(process: number, start: number, npages: number): void {
    this.set(process, start, start + npages, () => IN_RAM);
  }

  clear(process: number, start: number, npages: number): void {
    this.noteGone(process, start, start + npages);
    this.set(process, start, start + npages, () => undefined);
  }

  clearProcess(process: number): void {
    this.clear(process, 0, Number.MAX_SAFE_INTEGER);
  }

  collect(task: number, start: number, npages: number): void {
    const { process } = this.movingOf(task);
    this.collected.set(task, { process, start, end: start + npages, gone: [] });
  }

  /** The migration puts nothing there. */
  giveUp(task: number): void {
    this.collected.delete(task);
  }

  /** All pages of the span are in the allocation, holes too, but for those that were taken away on the way. */
  toDevice(task: number, start: number, npages: number, device: number): void {
    const { process, allocation } = this.movingOf(task);
    const place = { owner: Owner.FirstDevice + device, allocation: allocation * DEVICES + device };
    const gone = this.collected.get(task)?.gone ?? [];
    this.collected.delete(task);
    let from = start;
    for (const [first, end] of gone.toSorted(([a], [b]) => a - b)) {
      if (first > from) this.set(process, from, first, () => place);
      from = Math.max(from, end);
    }
    if (from < start + npages) this.set(process, from, start + npages, () => place);
  }

  /** Of the span what is in device memory; what was never touched stays untouched. */
  toRam(process: number, start: number, npages: number): void {
    this.set(process, start, start + npages, homeAgain);
  }

  /** All that the allocation held, wherever it was mapped. Of an eviction that failed nothing is known. */
  evicted(task: number, device: number): void {
    const allocation = this.movingOf(task).allocation * DEVICES + device;
    for (const [process, pages] of this.processes) {
      const held = [...pages.overlapping(0, Number.MAX_SAFE_INTEGER)].filter(
        (one) => one.value.allocation === allocation,
      );
      for (const { start, end } of held) this.set(process, start, end, homeAgain);
    }
  }

  /** Page-table entries have gone elsewhere. */
  move(process: number, from: number, to: number, npages: number): void {
    this.carry(process, process, from, to, npages);
    this.clear(process, from, npages);
  }

  /** A child has what its parent has; of device pages too, both map the same. */
  fork(parent: number, child: number, start: number, npages: number): void {
    this.carry(parent, child, start, start, npages);
  }

  noteMoving(task: number, process: number | null, allocation: number | null): void {
    const before = this.movingOf(task);
    this.moving.set(task, {
      process: process ?? before.process,
      allocation: allocation ?? before.allocation,
    });
  }

  /** Holes stay holes, and are filled. */
  private noteGone(process: number, start: number, end: number): void {
    for (const one of this.collected.values()) {
      const [first, last] = [Math.max(start, one.start), Math.min(end, one.end)];
      if (one.process !== process || first >= last) continue;
      for (const piece of this.pagesOf(process).pieces(first, last))
        if (piece.value !== undefined) one.gone.push([piece.start, piece.end]);
    }
  }

  private carry(from: number, into: number, start: number, to: number, npages: number): void {
    for (const piece of [...this.pagesOf(from).pieces(start, start + npages)]) {
      const { value } = piece;
      this.set(into, to + piece.start - start, to + piece.end - start, () => value);
    }
  }

  private movingOf(task: number): Moving {
    return this.moving.get(task) ?? { process: this.firstProcess ?? 0, allocation: -1 };
  }

  private pagesOf(process: number): Pages {
    const known = this.processes.get(process);
    if (known !== undefined) return known;
    const pages: Pages = new RangeMap((a, b) => a.owner === b.owner && a.allocation === b.allocation);
    this.processes.set(process, pages);
    this.firstProcess ??= process;
    return pages;
  }

  private set(
    process: number,
    start: number,
    end: number,
    change: (place: Place | undefined) => Place | undefined,
  ): void {
    const pages = this.pagesOf(process);
    for (const piece of pages.pieces(start, end)) {
      const next = change(piece.value);
      const owner = next?.owner ?? Owner.Nowhere;
      if (owner !== (piece.value?.owner ?? Owner.Nowhere)) this.tell(process, piece.start, piece.end, owner);
    }
    pages.update(start, end, change);
  }

  private tell(process: number, start: number, end: number, owner: number): void {
    const last = this.changes.at(-1);
    // Pages that are touched one after the other are one change, as long as nothing else comes between.
    if (
      last !== undefined &&
      last.process === process &&
      last.owner === owner &&
      last.end === start &&
      last.timeNs === this.nowNs
    ) {
      last.end = end;
      return;
    }
    this.changes.push({ timeNs: this.nowNs, process, start, end, owner });
  }
}

function followerOf(name: string): Follow | undefined {
  const step = placeSteps.find((one) => one === name);
  return step === undefined ? undefined : follow[step];
}

function homeAgain(place: Place | undefined): Place | undefined {
  return place === undefined || place.owner < Owner.FirstDevice ? place : IN_RAM;
}

const touchOne: Follow = (r, [page, , process]) => r.touch(process, page, 1);
const touchCopied: Follow = (r, [page, , , process]) => r.touch(process, page, 1);
const touchHuge: Follow = (r, [page, , process]) => r.touch(process, page - (page % PMD_PAGES), PMD_PAGES);

/** Arguments as the steps define them; a step that is not here says nothing of where pages are. */
const follow: Readonly<Record<(typeof placeSteps)[number], Follow>> = {
  'fault.anonymous': touchOne,
  'fault.hugeAnonymous': touchHuge,
  'fault.fileMapped': touchOne,
  'fault.around': (r, [page, npages, process]) => r.touch(process, page, npages),
  'fault.copied': touchCopied,
  'fault.cowBroken': touchCopied,
  'fault.fileCopied': touchCopied,
  'swap.mapped': touchCopied,
  'hugetlb.mapped': touchHuge,
  // An eviction makes room for what the task has announced before, and finds whose pages they are by their allocation.
  'driver.migrateStart': (r, [, , process, trigger], task) => {
    if (!makesRoom(trigger)) r.noteMoving(task, process, null);
  },
  'pagemap.toDevmem': (r, [, , , allocation], task) => r.noteMoving(task, null, allocation),
  'pagemap.collected': (r, [start, npages], task) => r.collect(task, start, npages),
  'pagemap.toDevmemFailed': (r, _args, task) => r.giveUp(task),
  'pagemap.alreadyThere': (r, _args, task) => r.giveUp(task),
  'pagemap.toDevmemDone': (r, [start, npages, device], task) => r.toDevice(task, start, npages, device),
  'pagemap.cpuMigrated': (r, [start, npages, , process]) => r.toRam(process, start, npages),
  'pagemap.hmmMigrated': (r, [start, npages, , process]) => r.toRam(process, start, npages),
  'pagemap.evict': (r, [, , allocation], task) => r.noteMoving(task, null, allocation),
  'pagemap.evictDone': (r, [device, , errno], task) => {
    if (errno === 0) r.evicted(task, device);
  },
  'zap.cleared': (r, [start, npages, process]) => r.clear(process, start, npages),
  'rmap.unmapped': (r, [page, , process]) => r.clear(process, page, 1),
  'mremap.moved': (r, [from, to, npages, process]) => r.move(process, from, to, npages),
  'fork.copied': (r, [start, npages, parent, child]) => r.fork(parent, child, start, npages),
  'exit.torn': (r, [process]) => r.clearProcess(process),
};
