/** The program behind `bench fault`: contexts of a GPU touch range after range, each touch a fault, again and again after the mapping was taken away. */

import { Errno, errnoName } from '../../base/errno.js';
import { SteadyState } from '../../base/steadyState.js';
import { PAGE_BYTES, PMD_PAGES, type Vpn, vpn } from '../../base/units.js';
import { holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import { mapBuffer, PROT_RW, toErrno } from '../hostSteps.js';
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
import type { FaultBenchConfig } from '../workloadConfig.js';
import { BenchStep } from './benchStep.js';

const RAM = -1;
const PREFETCH_DEPTH = 16;
const STEADY_WINDOW = 8;

/** Result counts: `sample<i>Ns` of the executor's clock, `wall<i>Ns` of this machine's, `warmups`, `steady`. */
export class FaultBench implements Workload {
  readonly name: string;
  private readonly start: Vpn;

  constructor(
    private readonly config: FaultBenchConfig,
    index: number,
  ) {
    this.name = config.name;
    this.start = bufferBase(index);
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    const counts: Record<string, number> = {};
    const errno = yield* this.measure(host, counts);
    const ok = errno === Errno.OK;
    const detail = ok ? `${this.config.ranges} ranges were touched in each round` : errnoName(errno);
    return { workload: this.name, ok, detail, counts };
  }

  kernel(): DeviceKernel {
    return (context) => this.touchRanges(context);
  }

  progress(): Progress {
    return {};
  }

  /** Each page's first word is its number, or 0 where nothing was ever stored. */
  expect(): Expectation[] {
    const check = (page: Vpn, words: Int32Array | null): string | null => {
      const found = words === null ? 0 : words[0];
      return found === this.valueOf(page) ? null : `its first word is ${found}`;
    };
    return [{ start: this.start, npages: this.pages, check }];
  }

  private *measure(host: HostContext, counts: Record<string, number>): Steps<Errno> {
    const { warmups, samples } = this.config;
    let errno = yield* mapBuffer(host, this.start, this.pages);
    if (errno === Errno.OK) errno = yield* host.madvise(this.start, this.pages, this.pageAdvice());
    if (errno === Errno.OK) errno = yield* this.fill(host);
    const { warmupNs = Number.POSITIVE_INFINITY } = this.config;
    const steady = new SteadyState({ window: STEADY_WINDOW, roundsMin: warmups.min, roundsMax: warmups.max });
    const endNs = host.now() + warmupNs;
    while (errno === Errno.OK && !steady.isOver && host.now() < endNs && !host.stopping) {
      errno = yield* this.takeAway(host, steady.rounds);
      const startNs = host.now();
      if (errno === Errno.OK) errno = yield* host.launch(0, 0, 0, 0);
      steady.add(host.now() - startNs);
    }
    counts.warmups = steady.rounds;
    counts.steady = steady.isSteady ? 1 : 0;
    host.forgetLatencies();
    for (let sample = 0; errno === Errno.OK && sample < samples && !host.stopping; sample++) {
      errno = yield* this.takeAway(host, steady.rounds + sample);
      if (errno !== Errno.OK) break;
      const startNs = host.now();
      const startMs = performance.now();
      errno = yield* host.launch(0, 0, 0, 0);
      counts[`sample${sample}Ns`] = host.now() - startNs;
      counts[`wall${sample}Ns`] = (performance.now() - startMs) * 1e6;
      yield* host.sleep(0);
    }
    return errno;
  }

  private *fill(host: HostContext): Steps<Errno> {
    if (this.config.pages === 'hole') return Errno.OK;
    for (let i = 0; i < this.pages; i++) {
      const page = vpn(this.start + i);
      const at = yield* holdPage(host, page, true);
      if (at < 0) return toErrno(at);
      host.memory.words[at] = this.valueOf(page);
      host.release();
      if (i % 16 === 15) yield BenchStep.sample;
    }
    return Errno.OK;
  }

  /** So that every touch faults again. */
  private *takeAway(host: HostContext, round: number): Steps<Errno> {
    switch (this.config.pages) {
      case 'present':
        // Rights that nobody uses come and go.
        return yield* host.mprotect(this.start, this.pages, round % 2 === 0 ? PROT_RW | Prot.Exec : PROT_RW);
      case 'migrate':
        return yield* host.prefetch(this.start, this.pages, RAM, PREFETCH_DEPTH);
      case 'hole':
        return yield* host.madvise(this.start, this.pages, Advice.DontNeed);
    }
  }

  /** The first page of each range; the contexts take turns, so that as many faults are under way as there are contexts. */
  private *touchRanges(context: DeviceContext): Steps<Errno> {
    const { ranges, rangePages } = this.config;
    for (let range = context.index; range < ranges; range += context.count) {
      const page = vpn(this.start + range * rangePages);
      const at = yield* holdPage(context, page, false);
      if (at < 0) return toErrno(at);
      const found = context.memory.words[at];
      context.release();
      if (found !== this.valueOf(page)) return Errno.EIO;
    }
    return Errno.OK;
  }

  private pageAdvice(): Advice {
    return (this.config.rangePages * PAGE_BYTES) % (PMD_PAGES * PAGE_BYTES) === 0
      ? Advice.HugePage
      : Advice.NoHugePage;
  }

  private valueOf(page: Vpn): number {
    return this.config.pages === 'hole' ? 0 : 1 + (page - this.start);
  }

  private get pages(): number {
    return this.config.ranges * this.config.rangePages;
  }
}
