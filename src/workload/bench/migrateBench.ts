/** The program behind `bench migrate`: moves regions to and fro, times the way there, counts what that took, and times plain copies in between. */

import { assert } from '../../base/assert.js';
import { Errno, errnoName } from '../../base/errno.js';
import { PAGE_BYTES, PMD_PAGES, type Vpn, vpn } from '../../base/units.js';
import { type AccessPort, holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import { firstError, mapBuffer, toErrno } from '../hostSteps.js';
import {
  Advice,
  bufferBase,
  type DeviceContext,
  type DeviceKernel,
  type Expectation,
  type HostContext,
  type Progress,
  Prot,
  type Workload,
  type WorkloadResult,
} from '../workload.js';
import type { MigrateBenchConfig, MigrateFlow } from '../workloadConfig.js';
import { BenchStep } from './benchStep.js';
import { PlainCopy } from './plainCopy.js';
import { countMismatches, fillPattern, patternProblem } from './testPattern.js';
import { warmUp } from './warmUp.js';

/** A flow's memory that is RAM. */
export const BENCH_RAM = -1;
/** Fewer have no median worth the name, however long they take. */
const SAMPLES_MIN = 3;
/** Plain copies on several threads move at least this much each, so that starting them does not count. */
const PARALLEL_COPY_BYTES = 64 * 2 ** 20;
/** Regions of flows begin at multiples of this: none shares a huge page, or a window of a notifier, with another. */
const REGION_STRIDE_PAGES = 2 ** 17;
const STORM_PAGES = PMD_PAGES;

/** Times that a flow asks for what stayed behind, before it gives up: with a storm it is there after a few. */
const ASKS_MAX = 64;

/** Counters of which the growth during the samples is a result: those that each device has, and those of the run. */
const deviceCounters = [
  'svm_pagefault_retry_count',
  'svm_4K_device_copy_kb',
  'svm_64K_device_copy_kb',
  'svm_2M_device_copy_kb',
  'svm_4K_cpu_copy_kb',
  'svm_64K_cpu_copy_kb',
  'svm_2M_cpu_copy_kb',
] as const;
const runCounters = [
  'svm_migrate_fail_count',
  'svm_migrate_fail_bytes',
  'svm_get_pages_retry_count',
] as const;

/** Kernels, by phase. */
const Phase = { PlainCopy: 0, Local: 1, Touch: 2, MakePlainCopy: 3 } as const;

/** What a round gives: per flow, the time, and the pages that it brought to where they should be. */
interface Round {
  readonly times: number[];
  readonly arrived: number[];
}

/** What programs had to ask for once more because it had stayed behind, and what they gave up. */
interface Tally {
  retries: number;
  stayedPages: number;
  givenUpPages: number;
}

/**
 * Result counts: `flow<f>.<i>Ns`, `flow<f>.<i>Pages` (that arrived), `group<i>Ns`, `memcpy<i>Ns`, `warmups`, `steady`, `storms`, `asked`, `stayedPages`,
 * `givenUpPages`, and growth of counters as `total.<name>`.
 */
export class MigrateBench implements Workload {
  readonly name: string;
  private readonly start: Vpn;
  private plainCopy: PlainCopy | null = null;
  private moving = false;

  constructor(
    private readonly config: MigrateBenchConfig,
    index: number,
  ) {
    this.name = config.name;
    this.start = bufferBase(index);
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    const counts: Record<string, number> = {};
    const errno = yield* this.measure(host, counts);
    const mismatches = errno === Errno.OK ? yield* this.countMismatches(host) : 0;
    counts.mismatches = mismatches;
    const ok = errno === Errno.OK && mismatches === 0;
    const pages = this.config.flows.length * this.config.regionPages;
    const detail = ok ? `${pages} pages arrived whole` : `${errnoName(errno)}, ${mismatches} words differ`;
    return { workload: this.name, ok, detail, counts };
  }

  kernel(_device: number, phase: number, a: number): DeviceKernel {
    if (phase === Phase.PlainCopy) return (context) => this.copyPlainly(context, a);
    if (phase === Phase.MakePlainCopy) return (context) => this.makePlainCopyOnDevice(context);
    if (phase === Phase.Touch) return (context) => this.touchOnDevice(context, vpn(a));
    return (context) => this.copyWithinDevice(context, a);
  }

  progress(): Progress {
    return {};
  }

  /** The pattern that the program wrote stays until the end; copies within a device have it too, once they are made. */
  expect(): Expectation[] {
    const npages = this.config.regionPages;
    return this.config.flows.flatMap((_, flow) => {
      const start = this.regionOf(flow);
      const source = { start, npages, check: patternProblem };
      if (!this.isLocal(flow)) return [source];
      const check = (page: Vpn, words: Int32Array | null): string | null =>
        words === null ? null : patternProblem(vpn(page - npages), words);
      return [source, { start: vpn(start + npages), npages, check }];
    });
  }

  private *measure(host: HostContext, counts: Record<string, number>): Steps<Errno> {
    const { flows } = this.config;
    for (let flow = 0; flow < flows.length; flow++) {
      const errno = yield* this.prepare(host, flow);
      if (errno !== Errno.OK) return errno;
    }
    const ready = this.config.measuresCopy ? yield* this.makePlainCopies(host) : Errno.OK;
    if (ready !== Errno.OK) return ready;
    const warmed = yield* warmUp(host, this.config.warmUp, counts, () => this.warmUpRound(host));
    if (warmed !== Errno.OK) return warmed;
    const { samples, samplesNs = Number.POSITIVE_INFINITY } = this.config;
    const endNs = host.now() + samplesNs;
    for (let sample = 0; sample < samples && !host.stopping; sample++) {
      if (sample >= SAMPLES_MIN && host.now() >= endNs) break;
      const errno = yield* this.sample(host, sample, counts);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  private *prepare(host: HostContext, flow: number): Steps<Errno> {
    const { regionPages } = this.config;
    const region = this.regionOf(flow);
    // A copy within a device has its destination behind its source.
    const pages = this.isLocal(flow) ? 2 * regionPages : regionPages;
    let errno = yield* mapBuffer(host, region, pages);
    if (errno === Errno.OK) errno = yield* host.madvise(region, pages, this.pageAdvice());
    if (errno === Errno.OK) errno = yield* fillPattern(host, region, regionPages);
    if (errno !== Errno.OK || this.config.stormNs === undefined) return errno;
    // A page in device memory loses the right to be stored to with every change of rights, and gets it back in RAM only.
    return yield* host.mprotect(region, regionPages, Prot.Read);
  }

  /** Until its last flow has ended, in nanoseconds; or an errno. */
  private *warmUpRound(host: HostContext): Steps<number> {
    const round = this.newRound();
    const errno = yield* this.round(host, round);
    return errno === Errno.OK ? Math.max(...round.times) : errno;
  }

  private *sample(host: HostContext, sample: number, counts: Record<string, number>): Steps<Errno> {
    const round = this.newRound();
    const errno = yield* this.round(host, round, counts);
    if (errno !== Errno.OK) return errno;
    round.times.forEach((ns, flow) => {
      counts[`flow${flow}.${sample}Ns`] = ns;
      counts[`flow${flow}.${sample}Pages`] = round.arrived[flow];
    });
    counts[`group${sample}Ns`] = Math.max(...round.times);
    if (this.config.measuresCopy) counts[`memcpy${sample}Ns`] = yield* this.timePlainCopies(host);
    return Errno.OK;
  }

  private newRound(): Round {
    return { times: this.config.flows.map(() => 0), arrived: this.config.flows.map(() => 0) };
  }

  /** All flows back to where they begin, and then there at the same time: what each took and brought into `round`. */
  private *round(host: HostContext, round: Round, counts?: Record<string, number>): Steps<Errno> {
    const { flows } = this.config;
    const back = yield* this.toStart(host);
    if (back !== Errno.OK) return back;
    const there = yield* this.pagesThere(host);
    const before = counts === undefined ? null : readCounters(host);
    const tally: Tally = { retries: 0, stayedPages: 0, givenUpPages: 0 };
    const startNs = host.now();
    this.moving = true;
    let left = flows.length;
    const timed = function* (bench: MigrateBench, flow: MigrateFlow, i: number): Steps<Errno> {
      const end = yield* bench.move(host, flow, bench.regionOf(i), tally);
      round.times[i] = end.ns - startNs;
      left--;
      if (left === 0) bench.moving = false;
      return end.errno;
    };
    const moves = flows.map((flow, i) => timed(this, flow, i));
    const errno = firstError(
      yield* host.parallel(this.config.stormNs === undefined ? moves : [...moves, this.storm(host, counts)]),
    );
    if (counts !== undefined && before !== null) {
      addGrowth(counts, before, readCounters(host));
      addTally(counts, tally);
    }
    const arrived = yield* this.pagesThere(host);
    flows.forEach((_, i) => {
      round.arrived[i] = this.isLocal(i) ? this.config.regionPages : arrived[i] - there[i];
    });
    yield* host.sleep(0);
    return errno;
  }

  private *toStart(host: HostContext): Steps<Errno> {
    const tally: Tally = { retries: 0, stayedPages: 0, givenUpPages: 0 };
    const back = function* (bench: MigrateBench, source: number, region: Vpn): Steps<Errno> {
      return (yield* bench.bring(host, region, source, tally)).errno;
    };
    return firstError(
      yield* host.parallel(this.config.flows.map(({ source }, i) => back(this, source, this.regionOf(i)))),
    );
  }

  /** Of each flow, how many pages are where it brings them. A copy within a device is complete when its kernel has ended, and not looked for. */
  private *pagesThere(host: HostContext): Steps<number[]> {
    const { flows, regionPages } = this.config;
    const pages: number[] = [];
    for (let flow = 0; flow < flows.length; flow++) {
      const region = this.regionOf(flow);
      const { destination } = flows[flow];
      pages.push(this.isLocal(flow) ? 0 : yield* host.residentPages(region, regionPages, destination));
    }
    return pages;
  }

  private *move(
    host: HostContext,
    { source, destination }: MigrateFlow,
    region: Vpn,
    tally: Tally,
  ): Steps<{ errno: Errno; ns: number }> {
    if (source !== destination && this.config.byFault !== true)
      return yield* this.bring(host, region, destination, tally);
    const errno = yield* this.moveByAccess(host, source, destination, region);
    return { errno, ns: host.now() };
  }

  private *moveByAccess(host: HostContext, source: number, destination: number, region: Vpn): Steps<Errno> {
    if (source === destination) return yield* host.launch(source, Phase.Local, region, 0);
    if (destination === BENCH_RAM) return yield* this.touchRanges(host, region);
    return yield* host.launch(destination, Phase.Touch, region, 0);
  }

  /**
   * Asks again for what stayed behind, as a program would that needs it there: a prefetch that meets others ends without an error where it is. The
   * time is that at which the last prefetch returned; that nothing was missing is found out after it.
   */
  private *bring(
    host: HostContext,
    region: Vpn,
    target: number,
    tally: Tally,
  ): Steps<{ errno: Errno; ns: number }> {
    const { regionPages, depth } = this.config;
    for (let asked = 1; ; asked++) {
      const errno = yield* host.prefetch(region, regionPages, target, depth);
      const ns = host.now();
      if (errno !== Errno.OK) return { errno, ns };
      const behind = regionPages - (yield* host.residentPages(region, regionPages, target));
      if (behind === 0) return { errno, ns };
      tally.stayedPages += behind;
      if (asked === ASKS_MAX || host.stopping) {
        tally.givenUpPages += behind;
        return { errno, ns };
      }
      tally.retries++;
    }
  }

  private *touchOnDevice(context: DeviceContext, region: Vpn): Steps<Errno> {
    return context.index > 0 ? Errno.OK : yield* this.touchRanges(context, region);
  }

  /** The first page of each range. */
  private *touchRanges(port: AccessPort, region: Vpn): Steps<Errno> {
    const { regionPages, rangePages } = this.config;
    for (let i = 0; i < regionPages; i += rangePages) {
      const at = yield* holdPage(port, vpn(region + i), false);
      if (at < 0) return toErrno(at);
      port.release();
      yield BenchStep.sample;
    }
    return Errno.OK;
  }

  /** Changes rights that nobody uses of what is moving, block by block, with pauses: each change invalidates the block on every device. */
  private *storm(host: HostContext, counts?: Record<string, number>): Steps<Errno> {
    const { regionPages, flows, stormNs = 0 } = this.config;
    const pages = Math.min(STORM_PAGES, regionPages);
    for (let block = 0; this.moving; block++) {
      const region = this.regionOf(block % flows.length);
      const at = (Math.floor(block / flows.length) * pages) % regionPages;
      for (const prot of [Prot.Read | Prot.Exec, Prot.Read]) {
        const errno = yield* host.mprotect(vpn(region + at), pages, prot);
        if (errno !== Errno.OK) return errno;
        if (counts !== undefined) counts.storms = (counts.storms ?? 0) + 1;
      }
      yield* host.sleep(stormNs);
    }
    return Errno.OK;
  }

  /**
   * Nanoseconds of this machine for as many bytes as the flows move together, by as many threads as copy for them: a device copies what leaves its memory,
   * and what comes to it from RAM.
   */
  private *timePlainCopies(host: HostContext): Steps<number> {
    const { flows, regionPages } = this.config;
    const copiers = this.copiers();
    if (copiers.size === 1) return this.plainCopies.run(flows.length);
    const repeats = Math.max(1, Math.ceil(PARALLEL_COPY_BYTES / (regionPages * PAGE_BYTES)));
    const startNs = host.now();
    yield* host.parallel(
      [...copiers].map(([device, regions]) => host.launch(device, Phase.PlainCopy, regions * repeats, 0)),
    );
    return (host.now() - startNs) / repeats;
  }

  /** By who copies: of how many regions. */
  private copiers(): ReadonlyMap<number, number> {
    const copiers = new Map<number, number>();
    for (const { source, destination } of this.config.flows) {
      const copier = source === BENCH_RAM ? destination : source;
      copiers.set(copier, (copiers.get(copier) ?? 0) + 1);
    }
    return copiers;
  }

  /** On the threads that will make them, so that no sample has the getting of memory in it. */
  private *makePlainCopies(host: HostContext): Steps<Errno> {
    const copiers = [...this.copiers().keys()];
    if (copiers.length === 1) {
      this.makePlainCopy();
      return Errno.OK;
    }
    const launches = copiers.map((device) => host.launch(device, Phase.MakePlainCopy, 0, 0));
    return firstError(yield* host.parallel(launches));
  }

  private makePlainCopy(): void {
    const { regionPages, sizeBytes } = this.config;
    this.plainCopy = new PlainCopy(regionPages * PAGE_BYTES, sizeBytes);
  }

  private get plainCopies(): PlainCopy {
    assert(this.plainCopy !== null, 'plain copies were not made ready');
    return this.plainCopy;
  }

  private *copyPlainly({ index }: DeviceContext, times: number): Steps<Errno> {
    if (index > 0) return Errno.OK;
    this.plainCopies.run(times);
    yield BenchStep.sample;
    return Errno.OK;
  }

  private *makePlainCopyOnDevice({ index }: DeviceContext): Steps<Errno> {
    if (index > 0) return Errno.OK;
    this.makePlainCopy();
    yield BenchStep.sample;
    return Errno.OK;
  }

  /** The first context copies the region to the pages behind it, page by page, as its code would: through the page table. */
  private *copyWithinDevice(context: DeviceContext, region: number): Steps<Errno> {
    if (context.index > 0) return Errno.OK;
    const { regionPages } = this.config;
    for (let i = 0; i < regionPages; i++) {
      const to = vpn(region + regionPages + i);
      const written = yield* holdPage(context, to, true);
      if (written < 0) return toErrno(written);
      const from = context.tryPage(vpn(region + i), false);
      // Not there any more, or never: the fault takes what was held, so this page begins anew.
      if (from < 0) {
        const errno = yield* context.fault(vpn(region + i), false);
        if (errno !== Errno.OK) return errno;
        i--;
        continue;
      }
      context.memory.bytes.copyWithin(written * 4, from * 4, from * 4 + PAGE_BYTES);
      context.release();
      if (i % 64 === 63) yield BenchStep.sample;
    }
    return Errno.OK;
  }

  private *countMismatches(host: HostContext): Steps<number> {
    let mismatches = 0;
    const { flows, regionPages } = this.config;
    for (let flow = 0; flow < flows.length; flow++) {
      const region = this.regionOf(flow);
      mismatches += yield* countMismatches(host, region, regionPages);
      if (!this.isLocal(flow)) continue;
      mismatches += yield* countMismatches(host, vpn(region + regionPages), regionPages, region);
    }
    return mismatches;
  }

  /** Migrations of whole huge pages find them, as a program that cares for speed would have it; others never do. */
  private pageAdvice(): Advice {
    const isHuge = this.config.rangePages % PMD_PAGES === 0;
    return isHuge ? Advice.HugePage : Advice.NoHugePage;
  }

  private isLocal(flow: number): boolean {
    const { source, destination } = this.config.flows[flow];
    return source === destination;
  }

  private regionOf(flow: number): Vpn {
    return vpn(this.start + flow * REGION_STRIDE_PAGES);
  }
}

function readCounters(host: HostContext): Map<string, number> {
  const values = new Map<string, number>(runCounters.map((name) => [name, host.counter(0, name) ?? 0]));
  for (const name of deviceCounters) {
    let sum = 0;
    for (let device = 0; device < host.deviceCount; device++) sum += host.counter(device, name) ?? 0;
    values.set(name, sum);
  }
  return values;
}

function addTally(counts: Record<string, number>, { retries, stayedPages, givenUpPages }: Tally): void {
  counts.asked = (counts.asked ?? 0) + retries;
  counts.stayedPages = (counts.stayedPages ?? 0) + stayedPages;
  counts.givenUpPages = (counts.givenUpPages ?? 0) + givenUpPages;
}

function addGrowth(
  counts: Record<string, number>,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): void {
  for (const [name, value] of after) {
    const key = `total.${name}`;
    counts[key] = (counts[key] ?? 0) + value - (before.get(name) ?? 0);
  }
}
