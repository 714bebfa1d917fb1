/** What a report says of the spans and instants of a trace: latencies, phases, causes, waits, retries, and how often per time. */

import { Histogram } from '../../observe/histogram.js';
import type { EventArguments } from '../../observe/trace/eventArguments.js';
import type { Instant, Span, TimelineSink } from '../../observe/trace/timeline.js';
import type { Trace } from '../../observe/trace/trace.js';
import type {
  CauseCount,
  LatencyData,
  MigrationCause,
  PhaseSplit,
  TimeSeries,
  WaitTable,
} from './reportData.js';
import { Samples } from './samples.js';

const BINS = 240;
/** Rows of a table of waits; of those beyond it tells only the sum. */
const WAITS_MAX = 60;

/** Spans whose times are shown, by what the report calls them. */
const latencyNames: Readonly<Record<string, string>> = {
  'GPU fault': 'GPU fault, served by the driver',
  'CPU fault': 'CPU fault',
  'migrate to device': 'migration to VRAM',
  'migrate to RAM': 'migration to RAM',
  evict: 'eviction',
  invalidate: 'invalidation',
  'HMM walk': 'hmm_range_fault',
  'get pages': 'get_pages',
  bind: 'bind',
  munmap: 'munmap',
};

/** Instants that tell how long something took. */
const toldLatencies: Readonly<Record<string, string>> = {
  'device.faultServed': 'GPU fault, as the context waits',
  'driver.tlbInvalidated': 'TLB invalidation, until acknowledged',
};

const rateNames: Readonly<Record<string, string>> = {
  'GPU fault': 'GPU faults',
  'CPU fault': 'CPU faults',
  invalidate: 'invalidations',
  'migrate to device': 'migrations to VRAM',
  'migrate to RAM': 'migrations to RAM',
  evict: 'evictions',
};

const RETRIES = 'retries';

/** Where an errno of an instant or of a span's end leads to another attempt. */
const retryPlaces: Readonly<Record<string, string>> = {
  'driver.retry': 'fault',
  'gpusvm.getPagesRetry': 'get_pages',
  'HMM walk': 'hmm',
  'migrate to device': 'migrate',
  'migrate to RAM': 'migrate_to_ram',
  evict: 'evict',
};

interface Waits {
  what: string;
  mode: string;
  holder: string;
  count: number;
  totalNs: number;
  maxNs: number;
}

interface Cause {
  name: string;
  cause: string;
  count: number;
  failed: number;
  /** Size of what was to be moved by those that did not fail: holes and pages that went away meanwhile are in it. */
  pages: number;
  ns: number;
}

export class TraceStatistics implements TimelineSink {
  lastNs = 0;
  private readonly histograms = new Map<string, Histogram>();
  private readonly byEvent = new Map<string, Histogram>();
  private readonly spans = new Map<string, number>();
  private readonly phasesOf = new Map<string, Map<string, number>>();
  private readonly migrations = new Map<string, Cause>();
  private readonly lockWaits = new Map<string, Waits>();
  private readonly otherWaits = new Map<string, Waits>();
  private readonly retried = new Map<string, number>();
  private readonly rates = new Map<string, Samples>();
  private readonly vramPages = new Map<number, Samples>();

  constructor(private readonly trace: Pick<Trace, 'actors'>) {
    for (const name of [...Object.values(rateNames), RETRIES]) this.rates.set(name, new Samples());
  }

  onBegin({ name, phaseOf, beginNs }: Span): void {
    this.lastNs = beginNs;
    const rate = phaseOf === null ? rateNames[name] : undefined;
    if (rate !== undefined) this.rates.get(rate)?.add(beginNs, 1);
  }

  onEnd(span: Span, endNs: number, args: EventArguments): void {
    this.lastNs = endNs;
    const tookNs = endNs - span.beginNs;
    if (span.phaseOf !== null) {
      this.notePhase(span.phaseOf, span.name, tookNs);
      return;
    }
    this.spans.set(span.name, (this.spans.get(span.name) ?? 0) + 1);
    // What the end of the recording cut off took longer than can be known.
    if (args.cut !== undefined) return;
    if (span.category === 'lock' || span.category === 'wait') this.noteWait(span, tookNs);
    if (span.category === 'migration') this.noteMigration(span, tookNs, args);
    this.noteErrno(span.name, args, endNs);
    const latency = latencyNames[span.name];
    if (latency !== undefined && !hasFailed(args) && !foundAll(args))
      histogram(this.histograms, latency).record(tookNs);
    if (span.name === 'invalidate') histogram(this.byEvent, String(span.args.event)).record(tookNs);
  }

  onInstant({ name, timeNs, args }: Instant): void {
    this.lastNs = timeNs;
    const latency = toldLatencies[name];
    if (latency !== undefined && typeof args.ns === 'number' && !hasFailed(args))
      histogram(this.histograms, latency).record(args.ns);
    if (retryPlaces[name] !== undefined) this.noteErrno(name, args, timeNs);
  }

  onCounter(actor: number, name: string, timeNs: number, value: number): void {
    this.lastNs = timeNs;
    if (name !== 'VRAM pages in use') return;
    const samples = this.vramPages.get(actor) ?? new Samples();
    this.vramPages.set(actor, samples);
    samples.add(timeNs, value);
  }

  latencies(): LatencyData[] {
    const order = [...Object.values(toldLatencies), ...Object.values(latencyNames)];
    return order.flatMap((name) => {
      const found = this.histograms.get(name);
      return found === undefined ? [] : [latencyData(name, found)];
    });
  }

  /** By kind of event, most frequent first. */
  invalidations(): LatencyData[] {
    const all = [...this.byEvent].map(([event, found]) => latencyData(event, found));
    return all.sort((a, b) => b.count - a.count);
  }

  phases(): PhaseSplit[] {
    return [...this.phasesOf].map(([name, phases]) => ({
      name,
      count: this.spans.get(name) ?? 0,
      phases: [...phases].map(([phase, ns]) => ({ name: phase, ns })),
    }));
  }

  causes(): MigrationCause[] {
    return [...this.migrations.values()].sort((a, b) => b.count - a.count);
  }

  locks(): WaitTable {
    return longestFirst(this.lockWaits);
  }

  waits(): WaitTable {
    return longestFirst(this.otherWaits);
  }

  retries(): CauseCount[] {
    const all = [...this.retried].map(([key, count]) => {
      const [place, errno] = key.split('.');
      return { place, errno, count };
    });
    return all.sort((a, b) => b.count - a.count);
  }

  get binNs(): number {
    return Math.max(1, this.lastNs / BINS);
  }

  ratesOverTime(): TimeSeries {
    const { binNs } = this;
    const lines = [...this.rates].map(([name, samples]) => ({ name, values: samples.sums(BINS, binNs) }));
    return { binNs, lines };
  }

  vramOverTime(pageBytes: number): TimeSeries {
    const { binNs } = this;
    const lines = [...this.vramPages]
      .sort(([a], [b]) => a - b)
      .map(([actor, samples]) => ({
        name: this.trace.actors[actor] ?? `actor ${actor}`,
        values: samples.states(BINS, binNs).map((pages) => pages * pageBytes),
      }));
    return { binNs, lines };
  }

  /** A sum per bin and name. */
  binned(all: ReadonlyMap<string, Samples>): TimeSeries {
    const { binNs } = this;
    return { binNs, lines: [...all].map(([name, samples]) => ({ name, values: samples.sums(BINS, binNs) })) };
  }

  private notePhase(of: string, name: string, ns: number): void {
    const phases = this.phasesOf.get(of) ?? new Map<string, number>();
    this.phasesOf.set(of, phases);
    phases.set(name, (phases.get(name) ?? 0) + ns);
  }

  private noteMigration({ name, args }: Span, ns: number, ended: EventArguments): void {
    const cause = String(args.cause ?? 'policy');
    const key = `${name}.${cause}`;
    const found = this.migrations.get(key) ?? { name, cause, count: 0, failed: 0, pages: 0, ns: 0 };
    this.migrations.set(key, found);
    found.count++;
    found.ns += ns;
    if (hasFailed(ended)) found.failed++;
    else if (!foundAll(ended)) found.pages += typeof args.pages === 'number' ? args.pages : 0;
  }

  private noteWait({ name, category, args }: Span, ns: number): void {
    const reason = name.replace(/^wait for /, '');
    const match = category === 'lock' ? /^(.*) for (read|write)$/.exec(reason) : null;
    const [what, mode] = match === null ? [reason, ''] : [match[1], match[2]];
    const holder = String(args.holder ?? '');
    const waits = category === 'lock' ? this.lockWaits : this.otherWaits;
    const key = `${what}\n${mode}\n${holder}`;
    const found = waits.get(key) ?? { what, mode, holder, count: 0, totalNs: 0, maxNs: 0 };
    waits.set(key, found);
    found.count++;
    found.totalNs += ns;
    found.maxNs = Math.max(found.maxNs, ns);
  }

  private noteErrno(name: string, args: EventArguments, timeNs: number): void {
    const place = retryPlaces[name];
    if (place === undefined || !hasFailed(args)) return;
    const key = `${place}.${String(args.errno).replace(/^-/, '')}`;
    this.retried.set(key, (this.retried.get(key) ?? 0) + 1);
    this.rates.get(RETRIES)?.add(timeNs, 1);
  }
}

/** A migration of what was there already moves nothing, and is no failure. */
function foundAll({ count }: EventArguments): boolean {
  return count === 0;
}

function hasFailed({ errno }: EventArguments): boolean {
  return errno !== undefined && errno !== 0 && errno !== 'OK' && errno !== '0';
}

function histogram(all: Map<string, Histogram>, name: string): Histogram {
  const found = all.get(name) ?? Histogram.create();
  all.set(name, found);
  return found;
}

function latencyData(name: string, found: Histogram): LatencyData {
  return { name, ...found.latency(), buckets: found.filledBuckets() };
}

function longestFirst(waits: ReadonlyMap<string, Waits>): WaitTable {
  const all = [...waits.values()].sort((a, b) => b.totalNs - a.totalNs);
  const leftOut = all.slice(WAITS_MAX);
  return {
    rows: all.slice(0, WAITS_MAX),
    leftOut: { rows: leftOut.length, totalNs: leftOut.reduce((sum, { totalNs }) => sum + totalNs, 0) },
  };
}
