/** The program behind `bench access`: contexts of every device load from pages that the TLB, the page table or nothing translates. */

import { Errno, errnoName } from '../../base/errno.js';
import { SteadyState } from '../../base/steadyState.js';
import { type Vpn, vpn } from '../../base/units.js';
import { holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import { launchAll, mapBuffer, PROT_RW, toErrno } from '../hostSteps.js';
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
import type { AccessBenchConfig } from '../workloadConfig.js';
import { BenchStep } from './benchStep.js';

const STEADY_WINDOW = 6;
/** Loads between two steps: a device serves nobody in between. */
const LOADS_PER_STEP = 4096;

/** Result counts: `sample<i>Ns` of the executor's clock, `wall<i>Ns` of this machine's, `warmups`, `steady`. */
export class AccessBench implements Workload {
  readonly name: string;
  private readonly start: Vpn;

  constructor(
    private readonly config: AccessBenchConfig,
    index: number,
  ) {
    this.name = config.name;
    this.start = bufferBase(index);
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    const counts: Record<string, number> = {};
    const errno = yield* this.measure(host, counts);
    const ok = errno === Errno.OK;
    const detail = ok ? `${this.config.loads} loads a round and device` : errnoName(errno);
    return { workload: this.name, ok, detail, counts };
  }

  kernel(): DeviceKernel {
    return (context) => this.load(context);
  }

  progress(): Progress {
    return {};
  }

  expect(): Expectation[] {
    const check = (page: Vpn, words: Int32Array | null): string | null =>
      words !== null && words[0] === 1 + (page - this.start) ? null : 'its first word is another one';
    return [{ start: this.start, npages: this.config.pages, check }];
  }

  private *measure(host: HostContext, counts: Record<string, number>): Steps<Errno> {
    const { pages, samples, warmups } = this.config;
    let errno = yield* mapBuffer(host, this.start, pages);
    if (errno === Errno.OK) errno = yield* host.madvise(this.start, pages, Advice.NoHugePage);
    if (errno === Errno.OK) errno = yield* this.fill(host);
    const steady = new SteadyState({ window: STEADY_WINDOW, roundsMin: warmups.min, roundsMax: warmups.max });
    while (errno === Errno.OK && !steady.isOver && !host.stopping) {
      errno = yield* this.round(host, steady.rounds, (ns) => steady.add(ns));
    }
    counts.warmups = steady.rounds;
    counts.steady = steady.isSteady ? 1 : 0;
    for (let sample = 0; errno === Errno.OK && sample < samples && !host.stopping; sample++) {
      const startMs = performance.now();
      errno = yield* this.round(host, steady.rounds + sample, (ns) => {
        counts[`sample${sample}Ns`] = ns;
      });
      counts[`wall${sample}Ns`] = (performance.now() - startMs) * 1e6;
      yield* host.sleep(0);
    }
    return errno;
  }

  private *round(host: HostContext, round: number, took: (ns: number) => void): Steps<Errno> {
    if (this.config.faults) {
      // Rights that nobody uses come and go, and with them all translations.
      const prot = round % 2 === 0 ? PROT_RW | Prot.Exec : PROT_RW;
      const errno = yield* host.mprotect(this.start, this.config.pages, prot);
      if (errno !== Errno.OK) return errno;
    }
    const startNs = host.now();
    const errno = yield* launchAll(host, 0);
    took(host.now() - startNs);
    return errno;
  }

  private *fill(host: HostContext): Steps<Errno> {
    for (let i = 0; i < this.config.pages; i++) {
      const at = yield* holdPage(host, vpn(this.start + i), true);
      if (at < 0) return toErrno(at);
      host.memory.words[at] = 1 + i;
      host.release();
      if (i % 64 === 63) yield BenchStep.sample;
    }
    return Errno.OK;
  }

  /** The contexts share the loads; each goes round the pages, and looks whether it found what it must. */
  private *load(context: DeviceContext): Steps<Errno> {
    const { loads, pages } = this.config;
    const { words } = context.memory;
    const { start } = this;
    const own = Math.ceil(loads / context.count);
    let page = (context.index * own) % pages;
    let wrong = 0;
    for (let done = 0; done < own; ) {
      const end = Math.min(own, done + LOADS_PER_STEP);
      while (done < end) {
        const at = context.tryPage(vpn(start + page), false);
        if (at < 0) break;
        wrong |= words[at] ^ (1 + page);
        page = page + 1 === pages ? 0 : page + 1;
        done++;
      }
      if (done === end) {
        yield BenchStep.sample;
        continue;
      }
      const errno = yield* context.fault(vpn(this.start + page), false);
      if (errno !== Errno.OK) return errno;
    }
    return wrong === 0 ? Errno.OK : Errno.EIO;
  }
}
