/** Measures look-ups by address among more and more entries: ranges and notifiers of a mirror, mappings of a GPU address space. */

import { setImmediate } from 'node:timers/promises';
import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { median } from '../../base/statistics.js';
import { SteadyState, type WarmedUp, type WarmUp } from '../../base/steadyState.js';
import { vpn } from '../../base/units.js';
import type { GpuSvm } from '../../drm/gpusvm/gpusvm.js';
import { GpuSvmNotifier } from '../../drm/gpusvm/notifier.js';
import { GpuSvmRange } from '../../drm/gpusvm/range.js';
import { GpuVa } from '../../drm/gpuvm/gpuVa.js';
import { GpuVm, resvObjectAlloc } from '../../drm/gpuvm/gpuVm.js';
import { Random } from '../../sim/random.js';
import { RandomStrategy } from '../../sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../sim/virtual/virtualExecutor.js';
import { LocalCoordinator } from '../coordinatorHost.js';
import { allocateBuffers } from '../sharedBuffers.js';
import type { SimulationConfig } from '../simulationConfig.js';
import type { BenchControl } from './benchRun.js';

export const lookupNames = ['range', 'notifier', 'gpuvm'] as const;
export type LookupName = (typeof lookupNames)[number];

export interface LookupCell extends WarmedUp {
  readonly name: LookupName;
  readonly entries: number;
  /** Nanoseconds of one look-up on this machine, sample by sample. */
  readonly times: readonly number[];
  /** To the same look-up among the fewest entries; of wall time. */
  readonly ratio: number;
  /** Every look-up found the entry that has the page. */
  readonly verified: boolean;
}

export interface LookupOptions {
  /** Ascending. */
  readonly entries: readonly number[];
  readonly samples: number;
}

/** What is looked up in, empty at first: entry `i` has the pages from `i * stridePages` on. */
interface Subject {
  readonly stridePages: number;
  insert(i: number): void;
  /** Pages of each stride that the entry has. */
  readonly pages: number;
  lookUp(page: number): { readonly start: number } | null;
}

type MakeSubject = (gpusvm: GpuSvm, entries: number) => Subject;

/** Look-ups of a sample: so many that a clock's grain is nothing, and that no cache holds what they touch. */
const LOOKUPS = 1 << 16;
/** The first rounds are interpreted, and fill the caches that hold the upper levels. */
const WARM_UP: WarmUp = { roundsMin: 8, roundsMax: 60 };
const STEADY_WINDOW = 6;
/** Entries that come between two looks at whether it shall end: a small part of a second. */
const ENTRIES_AT_ONCE = 1 << 15;
const RANGE_PAGES = 512;
const NOTIFIER_PAGES = 1 << 17;

const subjects: Readonly<Record<LookupName, MakeSubject>> = {
  range: (gpusvm) => ({
    stridePages: RANGE_PAGES,
    pages: RANGE_PAGES,
    insert: (i) => addRange(gpusvm, i * RANGE_PAGES),
    lookUp: (page) => gpusvm.findRange(vpn(page)),
  }),
  notifier: (gpusvm) => ({
    stridePages: RANGE_PAGES,
    pages: RANGE_PAGES,
    insert: (i) => addNotifier(gpusvm, i * RANGE_PAGES, RANGE_PAGES),
    lookUp: (page) => gpusvm.findNotifier(vpn(page)),
  }),
  gpuvm: (_gpusvm, entries) => {
    const stridePages = 2 * RANGE_PAGES;
    const resvObject = resvObjectAlloc({ name: 'none', assertHeld: () => {} });
    const vm = new GpuVm('bench', { start: 0, end: entries * stridePages }, { resvObject });
    const insert = (i: number): void => {
      const start = i * stridePages;
      const errno = vm.insert(new GpuVa({ start, end: start + RANGE_PAGES, obj: null, offset: 0 }));
      assert(errno === Errno.OK, 'a mapping of the benchmark was refused');
    };
    return { stridePages, pages: RANGE_PAGES, insert, lookUp: (page) => vm.findFirst(page, page + 1) };
  },
};

/** Entries come in random order and are asked for in random order, each as likely as any other: nothing helps a cache. */
export async function runBenchLookup(
  config: SimulationConfig,
  { entries, samples, signal, onCell }: LookupOptions & BenchControl<LookupCell>,
): Promise<LookupCell[]> {
  const cells: LookupCell[] = [];
  for (const name of lookupNames) {
    let firstNs = 0;
    for (const count of entries) {
      const cell = await measureCell(config, name, count, { samples, signal, firstNs });
      if (cell === null) return cells;
      if (firstNs === 0) firstNs = median(cell.times);
      cells.push(cell);
      onCell?.(cell);
    }
  }
  return cells;
}

interface CellOptions {
  readonly samples: number;
  readonly signal: AbortSignal | undefined;
  /** Of the same look-up among the fewest entries; 0 for that itself. */
  readonly firstNs: number;
}

/** Null where it is told to end before its last sample. */
async function measureCell(
  config: SimulationConfig,
  name: LookupName,
  entries: number,
  { samples, signal, firstNs }: CellOptions,
): Promise<LookupCell | null> {
  const random = new Random(config.seed, entries);
  const subject = subjects[name](emptyMirror(config), entries);
  await fill(subject, shuffled(entries, random), signal);
  const times: number[] = [];
  const steady = new SteadyState(WARM_UP, STEADY_WINDOW);
  while (times.length < samples) {
    // Nothing else lets an interrupt in.
    await setImmediate();
    if (signal?.aborted === true) return null;
    const probes = probesFor(subject, entries, random);
    const startedMs = performance.now();
    const found = lookUpAll(subject, probes);
    const ns = ((performance.now() - startedMs) * 1e6) / LOOKUPS;
    assert(found === LOOKUPS, 'a look-up of the benchmark found nothing');
    if (steady.isOver) times.push(ns);
    else steady.add(ns);
  }
  const ratio = firstNs === 0 ? 1 : median(times) / firstNs;
  const verified = findsAll(subject, probesFor(subject, entries, random));
  return { name, entries, times, ratio, verified, ...steady.outcome };
}

async function fill(subject: Subject, order: Uint32Array, signal: AbortSignal | undefined): Promise<void> {
  for (let start = 0; start < order.length && signal?.aborted !== true; start += ENTRIES_AT_ONCE) {
    for (const i of order.subarray(start, start + ENTRIES_AT_ONCE)) subject.insert(i);
    await setImmediate();
  }
}

/** Nothing of an entry is touched: a look-up ends with the reference to it. */
function lookUpAll(subject: Subject, probes: Float64Array): number {
  let found = 0;
  for (let i = 0; i < probes.length; i++) if (subject.lookUp(probes[i]) !== null) found++;
  return found;
}

function findsAll(subject: Subject, probes: Float64Array): boolean {
  return probes.every((page) => subject.lookUp(page)?.start === page - (page % subject.stridePages));
}

function probesFor({ stridePages, pages }: Subject, entries: number, random: Random): Float64Array {
  return Float64Array.from(
    { length: LOOKUPS },
    () => random.below(entries) * stridePages + random.below(pages),
  );
}

function shuffled(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** That of a machine that does not run: what is looked up in needs no memory behind it. */
function emptyMirror(config: SimulationConfig): GpuSvm {
  const executor = new VirtualExecutor(new RandomStrategy(config.seed));
  const { coordinator } = new LocalCoordinator(executor, config, allocateBuffers(config));
  return coordinator.vms[0].gpusvm;
}

function addNotifier(gpusvm: GpuSvm, start: number, pages: number): GpuSvmNotifier {
  const notifier = new GpuSvmNotifier(gpusvm, vpn(start), vpn(start + pages));
  notifier.node = gpusvm.notifiers.insert(notifier.start, notifier.end, notifier);
  return notifier;
}

function addRange(gpusvm: GpuSvm, start: number): void {
  const window = start - (start % NOTIFIER_PAGES);
  const notifier = gpusvm.findNotifier(vpn(window)) ?? addNotifier(gpusvm, window, NOTIFIER_PAGES);
  notifier.insertRange(new GpuSvmRange(notifier, vpn(start), vpn(start + RANGE_PAGES), false));
}
