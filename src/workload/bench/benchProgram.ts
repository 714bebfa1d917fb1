/** What the programs of benchmarks on one buffer have in common: rounds until they take the same time again and again, and then those that count. */

import { Errno, errnoName } from '../../base/errno.js';
import { SteadyState } from '../../base/steadyState.js';
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

/** How many rounds a benchmark runs. */
export interface BenchRounds {
  readonly name: string;
  readonly samples: number;
  /** Before the first sample. */
  readonly warmups: { readonly min: number; readonly max: number };
  /** Warm-up ends after this long in any case; unlimited unless given. */
  readonly warmupNs?: number;
  /** Between two samples; none unless given. */
  readonly pauseNs?: number;
}

/** Rounds that are looked at together to find the end of warm-up. */
const STEADY_WINDOW = 8;

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
  abstract kernel(): DeviceKernel;
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
    const { samples, warmups, warmupNs = Number.POSITIVE_INFINITY, pauseNs = 0 } = this.config;
    const timer = new RoundTimer(host);
    const steady = new SteadyState({ window: STEADY_WINDOW, roundsMin: warmups.min, roundsMax: warmups.max });
    const endNs = host.now() + warmupNs;
    while (!steady.isOver && host.now() < endNs && !host.stopping) {
      const errno = yield* this.round(host, steady.rounds, timer);
      if (errno !== Errno.OK) return errno;
      steady.add(timer.ns);
    }
    counts.warmups = steady.rounds;
    counts.steady = steady.isSteady ? 1 : 0;
    host.forgetLatencies();
    for (let sample = 0; sample < samples && !host.stopping; sample++) {
      const errno = yield* this.round(host, steady.rounds + sample, timer);
      if (errno !== Errno.OK) return errno;
      counts[`sample${sample}Ns`] = timer.ns;
      counts[`wall${sample}Ns`] = timer.wallNs;
      yield* host.sleep(pauseNs);
    }
    return Errno.OK;
  }
}
