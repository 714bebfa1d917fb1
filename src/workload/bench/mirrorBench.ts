/** The program behind `bench mirror`: all devices load from a buffer, lose it by an mprotect, and load again, with counts and times of each part. */

import { Errno, errnoName } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
import { holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import { launchAll, mapBuffer, PROT_RW } from '../hostSteps.js';
import { shareOf } from '../partition.js';
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
import type { MirrorBenchConfig } from '../workloadConfig.js';
import { WorkloadStep } from '../workloadStep.js';
import type { WorkloadWorld } from '../workloadWorld.js';
import { warmUp } from './warmUp.js';

/** Counters of the run of which each part's growth is a result. */
const counters = [
  'hmm_range_fault_count',
  'hmm_range_fault_pages',
  'mmu_invalidate_count',
  'mmu_callback_count',
  'svm_dma_map_count',
  'svm_dma_map_pages',
  'svm_bind_count',
] as const;

/** Result counts: `first.<counter>`, `invalidate.<counter>`, `again.<counter>`, `firstNs`, `invalidate<i>Ns`, `again<i>Ns`, `warmups`, `steady`. */
export class MirrorBench implements Workload {
  readonly name: string;
  private readonly base: Vpn;
  private mismatches = 0;

  constructor(
    private readonly config: MirrorBenchConfig,
    index: number,
    private readonly world: WorkloadWorld,
  ) {
    this.name = config.name;
    this.base = bufferBase(index);
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    const counts: Record<string, number> = {};
    const errno = yield* this.measure(host, counts);
    const detail =
      errno === Errno.OK ? `${this.config.pages} pages, ${this.config.rounds} rounds` : errnoName(errno);
    return { workload: this.name, ok: errno === Errno.OK, detail, counts };
  }

  kernel(device: number): DeviceKernel {
    const { world, config } = this;
    const ofDevice =
      config.access === 'shared'
        ? { start: 0, end: config.pages }
        : shareOf(config.pages, world.deviceCount, device);
    return (context) => this.loadAll(context, ofDevice);
  }

  progress(): Progress {
    return { mismatches: this.mismatches };
  }

  /** Each page's first word is its number; the rest are zeros. */
  expect(): Expectation[] {
    const check = (page: Vpn, words: Int32Array | null): string | null => {
      if (words === null) return 'a page of the buffer is gone';
      return words[0] === this.valueOf(page) && words[1] === 0
        ? null
        : `its first words are ${words[0]}, ${words[1]}`;
    };
    return [{ start: this.base, npages: this.config.pages, check }];
  }

  private *measure(host: HostContext, counts: Record<string, number>): Steps<Errno> {
    const { pages, rounds } = this.config;
    let errno = yield* mapBuffer(host, this.base, pages);
    if (errno === Errno.OK) errno = yield* host.madvise(this.base, pages, Advice.NoHugePage);
    if (errno === Errno.OK) errno = yield* this.fill(host);
    if (errno === Errno.OK) errno = yield* this.timed(host, counts, 'first', '', () => launchAll(host, 0));
    if (errno === Errno.OK)
      errno = yield* warmUp(host, this.config.warmUp, counts, (round) => this.warmUpRound(host, round));
    const firstLaunch = 1 + (counts.warmups ?? 0);
    for (let round = 0; errno === Errno.OK && round < rounds && !host.stopping; round++) {
      errno = yield* this.round(host, counts, String(round), firstLaunch + round);
    }
    return errno;
  }

  /** The devices lose the buffer, and load it again. */
  private *round(
    host: HostContext,
    counts: Record<string, number>,
    round: string,
    launch: number,
  ): Steps<Errno> {
    if (host.gate.isClosed) yield* host.gate.pass();
    const { pages } = this.config;
    const protect = (): Steps<Errno> => host.mprotect(this.base, pages, Prot.Read);
    let errno = yield* this.timed(host, counts, 'invalidate', round, protect);
    if (errno === Errno.OK) errno = yield* host.mprotect(this.base, pages, PROT_RW);
    const load = (): Steps<Errno> => launchAll(host, launch);
    if (errno === Errno.OK) errno = yield* this.timed(host, counts, 'again', round, load);
    return errno;
  }

  /** What of a round is measured, together; or an errno. Its counts are of no use. */
  private *warmUpRound(host: HostContext, round: number): Steps<number> {
    const counts: Record<string, number> = {};
    const errno = yield* this.round(host, counts, '', 1 + round);
    return errno === Errno.OK ? counts.invalidateNs + counts.againNs : errno;
  }

  private *timed(
    host: HostContext,
    counts: Record<string, number>,
    part: string,
    round: string,
    operation: () => Steps<Errno>,
  ): Steps<Errno> {
    const before = counters.map((name) => host.counter(0, name) ?? 0);
    const startNs = host.now();
    const errno = yield* operation();
    counts[`${part}${round}Ns`] = host.now() - startNs;
    counters.forEach((name, i) => {
      const key = `${part}.${name}`;
      counts[key] = (counts[key] ?? 0) + (host.counter(0, name) ?? 0) - before[i];
    });
    return errno;
  }

  private *fill(host: HostContext): Steps<Errno> {
    for (let i = 0; i < this.config.pages; i++) {
      const page = vpn(this.base + i);
      const at = yield* holdPage(host, page, true);
      if (at < 0) return at as Errno;
      host.memory.words[at] = this.valueOf(page);
      host.release();
      yield WorkloadStep.page;
    }
    return Errno.OK;
  }

  /** The contexts of a device take turns, so that several faults of a range are under way at once. */
  private *loadAll(context: DeviceContext, { start, end }: { start: number; end: number }): Steps<Errno> {
    for (let i = start + context.index; i < end; i += context.count) {
      if (context.gate.isClosed) yield* context.gate.pass();
      if (context.gate.ending) return Errno.OK;
      const page = vpn(this.base + i);
      const at = yield* holdPage(context, page, false);
      if (at < 0) return at as Errno;
      const found = context.memory.words[at];
      context.release();
      if (found !== this.valueOf(page)) {
        this.mismatches++;
        return Errno.EIO;
      }
      yield WorkloadStep.access;
    }
    return Errno.OK;
  }

  private valueOf(page: Vpn): number {
    return 1 + (page - this.base);
  }
}
