/** What the programs of benchmarks on one buffer have in common: rounds until they take the same time again and again, and then those that count. */

import { Errno, errnoName } from '../../base/errno.js';
import type { WarmUp } from '../../base/steadyState.js';
import type { Vpn } from '../../base/units.js';
import type { Steps } from '../../sim/steps.js';
import {
  bufferBase,
  type DeviceKernel,
  type Expectation,
  type HostContext,
  type Progress,
  type Workload,
  type WorkloadResult,
} from '../workload.js';
import { RoundTimer } from './roundTimer.js';
import { warmUp } from './warmUp.js';

/** How many rounds a benchmark runs. */
export interface BenchRounds {
  readonly name: string;
  readonly samples: number;
  /** By rounds before the first sample; on the executor's clock. */
  readonly warmUp: WarmUp;
  /** Samples end after this long, but for the first few; unlimited unless given. */
  readonly samplesNs?: number;
  /** From the beginning of one sample to that of the next, where it does not take longer; 0 unless given. */
  readonly periodNs?: number;
}

/** Fewer have no median worth the name, however long they take. */
const SAMPLES_MIN = 3;

/** Result counts: `sample<i>Ns` of the executor's clock, `wall<i>Ns` of this machine's, `warmups`, `steady`. */
export abstract class BenchProgram<Config extends BenchRounds> implements Workload {
  readonly name: string;
  protected readonly start: Vpn;

  constructor(
    protected readonly config: Config,
    index: number,
  ) {
    this.name = config.name;
    this.start = bufferBase(index);
  }

  /** What one round does, in words. */
  protected abstract readonly summary: string;
  /** Makes the buffer ready for the first round. */
  protected abstract prepare(host: HostContext): Steps<Errno>;
  /** One round, of which the timer times the part that is measured. Rounds are counted from 0, those of warm-up among them. */
  protected abstract round(host: HostContext, round: number, timer: RoundTimer): Steps<Errno>;
  abstract kernel(device: number): DeviceKernel;
  abstract expect(): Expectation[];

  *run(host: HostContext): Steps<WorkloadResult> {
    const counts: Record<string, number> = {};
    let errno = yield* this.prepare(host);
    if (errno === Errno.OK) errno = yield* this.measure(host, counts);
    const ok = errno === Errno.OK;
    return { workload: this.name, ok, detail: ok ? this.summary : errnoName(errno), counts };
  }

  progress(): Progress {
    return {};
  }

  private *measure(host: HostContext, counts: Record<string, number>): Steps<Errno> {
    const timer = new RoundTimer(host);
    const errno = yield* warmUp(host, this.config.warmUp, counts, (round) =>
      this.timedRound(host, round, timer),
    );
    if (errno !== Errno.OK) return errno;
    host.forgetLatencies();
    const { samples, samplesNs = Number.POSITIVE_INFINITY, periodNs = 0 } = this.config;
    const endNs = host.now() + samplesNs;
    for (let sample = 0; sample < samples && !host.stopping; sample++) {
      const startNs = host.now();
      if (sample >= SAMPLES_MIN && startNs >= endNs) break;
      const errno = yield* this.round(host, counts.warmups + sample, timer);
      if (errno !== Errno.OK) return errno;
      counts[`sample${sample}Ns`] = timer.ns;
      counts[`wall${sample}Ns`] = timer.wallNs;
      yield* host.sleep(Math.max(0, startNs + periodNs - host.now()));
    }
    return Errno.OK;
  }

  /** What the timer has measured, or an errno. */
  private *timedRound(host: HostContext, round: number, timer: RoundTimer): Steps<number> {
    const errno = yield* this.round(host, round, timer);
    return errno === Errno.OK ? timer.ns : errno;
  }
}
