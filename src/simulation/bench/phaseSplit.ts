/** Splits the time of migrations into the steps of the protocol: from the trace of a run, so that nothing is measured where nobody asks. */

import { readTimeline, type Span, type TimelineSink } from '../../observe/trace/timeline.js';
import type { Trace } from '../../observe/trace/trace.js';
import { usualOnes } from './usualOnes.js';

/** In the order in which a migration goes through them. */
export const migratePhases = [
  'fault',
  'collect',
  'lockWait',
  'unmapAndInvalidate',
  'allocate',
  'copy',
  'remap',
  'getPages',
  'bind',
] as const;
export type MigratePhase = (typeof migratePhases)[number];

export interface PhaseSplit {
  /** Migrations that it is the mean of. */
  readonly migrations: number;
  /** Mean time of one migration; the phases add up to it. */
  readonly wholeNs: number;
  readonly phasesNs: Readonly<Record<MigratePhase, number>>;
}

/** What time within a span is, that is not within another one inside it. `inside`: what the span around it is. */
const phaseOfSpan: Readonly<Record<string, MigratePhase>> = {
  'GPU fault': 'fault',
  'CPU fault': 'fault',
  'migrate to device': 'collect',
  'migrate to RAM': 'collect',
  evict: 'collect',
  'collect, unmap and invalidate': 'unmapAndInvalidate',
  invalidate: 'collect',
  callbacks: 'unmapAndInvalidate',
  // Between the start of the invalidation and its end the pages are collected.
  'change entries': 'collect',
  allocate: 'allocate',
  copy: 'copy',
  remap: 'remap',
  'HMM walk': 'getPages',
  'get pages': 'getPages',
  bind: 'bind',
};

/** Requests to a device whose reply is waited for, where that tells more than the span around it. */
const phaseOfRequest: readonly (readonly [what: RegExp, phase: MigratePhase])[] = [
  [/copy/i, 'copy'],
  [/alloc|clear/i, 'allocate'],
  [/bind/i, 'bind'],
  [/zap|invalidat/i, 'unmapAndInvalidate'],
];

interface Open {
  readonly span: Span;
  readonly phase: MigratePhase;
  /** Spent in spans within. */
  innerNs: number;
}

/** One line of work that is under way. */
interface Work {
  readonly open: Open[];
  readonly times: Map<MigratePhase, number>;
  /** Devices to whose memory, and from whose memory, pages have moved within it. */
  to: number | null;
  from: number | null;
}

interface Done {
  readonly wholeNs: number;
  readonly times: ReadonlyMap<MigratePhase, number>;
  readonly to: number | null;
  readonly from: number | null;
}

/**
 * The mean over the usual ones of all faults that moved pages to a device's memory, or with `destination` null from that of `source` to RAM. Null where
 * there are none.
 */
export function phaseSplit(
  trace: Trace,
  source: number | null,
  destination: number | null,
): PhaseSplit | null {
  const reader = new PhaseReader();
  readTimeline(trace, reader);
  const all = reader.done.filter(({ to, from }) =>
    destination === null ? to === null && from === source : to === destination,
  );
  const usual = usualOnes(all);
  if (usual.length === 0) return null;
  const mean = (of: (one: Done) => number): number =>
    usual.reduce((sum, one) => sum + of(one), 0) / usual.length;
  const phasesNs = Object.fromEntries(
    migratePhases.map((phase) => [phase, mean(({ times }) => times.get(phase) ?? 0)]),
  ) as Record<MigratePhase, number>;
  return { migrations: usual.length, wholeNs: mean(({ wholeNs }) => wholeNs), phasesNs };
}

class PhaseReader implements TimelineSink {
  readonly done: Done[] = [];
  private readonly works = new Map<string, Work>();

  onBegin(span: Span): void {
    const key = keyOf(span);
    let work = this.works.get(key);
    if (work === undefined) {
      work = { open: [], times: new Map(), to: null, from: null };
      this.works.set(key, work);
    }
    const around = work.open.at(-1)?.phase ?? 'fault';
    work.open.push({ span, phase: phaseWithin(span, around), innerNs: 0 });
    if (span.name === 'migrate to device') work.to = Number(span.args.device);
    if (span.name === 'evict' || span.name === 'migrate to RAM') work.from = Number(span.args.device);
  }

  onEnd(span: Span, endNs: number): void {
    const key = keyOf(span);
    const work = this.works.get(key);
    const ended = work?.open.pop();
    if (work === undefined || ended === undefined) return;
    const wholeNs = endNs - span.beginNs;
    const ownNs = wholeNs - ended.innerNs;
    work.times.set(ended.phase, (work.times.get(ended.phase) ?? 0) + ownNs);
    const around = work.open.at(-1);
    if (around !== undefined) {
      around.innerNs += wholeNs;
      return;
    }
    this.works.delete(key);
    const { times, to, from } = work;
    const moved = to !== null || from !== null;
    // Prefetches move pages too, to where they begin.
    if (moved && span.category === 'fault') this.done.push({ wholeNs, times, to, from });
  }

  onInstant(): void {}

  onCounter(): void {}
}

function phaseWithin({ name, category }: Span, around: MigratePhase): MigratePhase {
  if (category === 'lock') return 'lockWait';
  if (category !== 'wait') return phaseOfSpan[name] ?? around;
  return phaseOfRequest.find(([what]) => what.test(name))?.[1] ?? around;
}

function keyOf({ actor, lane }: Span): string {
  return `${actor}/${lane}`;
}
