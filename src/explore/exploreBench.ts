/** Measures how many schedules of a scenario a search goes through in a second, with one worker and with more, watched and not, and whether replays agree. */

import { setImmediate } from 'node:timers/promises';
import { median } from '../base/statistics.js';
import type { WarmedUp } from '../base/steadyState.js';
import type { BlockResult, BlockTask } from './block.js';
import { blockSeed } from './block.js';
import { makeStrategy } from './strategies/makeStrategy.js';
import { type ExplorationTarget, runnerOf } from './target.js';
import { verdictKey } from './verdict.js';

export interface ExploreBenchOptions {
  readonly source: ExplorationTarget['source'];
  /** Ascending, from 1. */
  readonly jobs: readonly number[];
  readonly samples: number;
  readonly replays: number;
  /** Wall; by then at the latest the compiler counts as done. */
  readonly warmUpMs: number;
}

/** Warm-up is counted in blocks. */
export interface ExploreBenchCell extends WarmedUp {
  readonly jobs: number;
  /** Every step was watched by all checkers. */
  readonly checked: boolean;
  /** Of all workers together, in a second of wall time, sample by sample. */
  readonly scheduleRates: readonly number[];
  readonly stepRates: readonly number[];
  /** Of one schedule. */
  readonly stepsMean: number;
  /** To one worker, of medians; 1 for one. */
  readonly scaling: number;
  readonly replays: ReplayAgreement;
  /** Schedules that ended with a verdict. */
  readonly failures: number;
}

export interface ReplayAgreement {
  readonly replayed: number;
  /** With the same steps, choices and verdict. */
  readonly agreed: number;
}

export interface ExploreBenchPool {
  run(task: { block: BlockTask; stopAtFirst: boolean }, signal: AbortSignal): Promise<BlockResult>;
  close(): Promise<void>;
}

/** The baseline of all strategies, and the cheapest. */
const STRATEGY = 'random';
const SEED = 1;
const WARMUP_SCHEDULES = 250;
/** Of each worker: before that much of the protocol has not been seen often enough to be compiled. */
const WARMUP_MIN_SCHEDULES = 8000;
/** The compiler is done when so many blocks in a row were not faster than the best one by this part. */
const STEADY_BLOCKS = 4;
const STEADY_GAIN = 0.02;
const SAMPLE_MS = 500;
const REPLAYS_AT_ONCE = 20;

export async function benchExplore(
  { source, jobs, ...measuring }: ExploreBenchOptions,
  openPool: (jobs: number) => Promise<ExploreBenchPool>,
  signal: AbortSignal,
  onCell: (cell: ExploreBenchCell) => void,
): Promise<ExploreBenchCell[]> {
  const replays = await replayAgreement({ source, bug: null }, measuring.replays, signal);
  if (signal.aborted) return [];
  const cells: ExploreBenchCell[] = [];
  for (const workers of jobs) {
    const pool = await openPool(workers);
    try {
      for (const checked of [true, false]) {
        const target: ExplorationTarget = { source, bug: null, checks: checked ? 'all' : 'none' };
        const measured = await new Lanes(pool, workers, target, signal).measure(measuring);
        const one = cells.find((cell) => cell.jobs === 1 && cell.checked === checked);
        const scaling = one === undefined ? 1 : median(measured.scheduleRates) / median(one.scheduleRates);
        const cell = { jobs: workers, checked, scaling, replays, ...measured };
        cells.push(cell);
        onCell(cell);
      }
    } finally {
      await pool.close();
    }
  }
  return cells;
}

/** Each schedule is made by a strategy, and then made again from its choices alone; of fewer where it is told to end. */
export async function replayAgreement(
  target: ExplorationTarget,
  count: number,
  signal?: AbortSignal,
): Promise<ReplayAgreement> {
  const runner = runnerOf(target);
  const strategy = makeStrategy(STRATEGY, SEED);
  let agreed = 0;
  for (let i = 0; i < count; i++) {
    // So that an interrupt is heard: they run on this thread.
    if (i % REPLAYS_AT_ONCE === 0) await setImmediate();
    if (signal?.aborted === true) return { replayed: i, agreed };
    const first = runner.run(strategy);
    if (first === null) return { replayed: i, agreed };
    const { outcome, isExact } = runner.replay(first.choices);
    const key = (verdict: typeof first.verdict): string => (verdict === null ? '' : verdictKey(verdict));
    const isSame =
      isExact &&
      outcome.steps === first.steps &&
      outcome.hash === first.hash &&
      key(outcome.verdict) === key(first.verdict);
    if (isSame) agreed++;
  }
  return { replayed: count, agreed };
}

function stepsMeanOf(results: readonly BlockResult[]): number {
  const steps = results.reduce((sum, { stepsTotal }) => sum + stepsTotal, 0);
  return steps / results.reduce((sum, { schedules }) => sum + schedules, 0);
}

/** Workers that run blocks side by side. */
class Lanes {
  private blocks = 0;
  private stepsMean = 0;

  constructor(
    private readonly pool: ExploreBenchPool,
    private readonly jobs: number,
    private readonly target: ExplorationTarget,
    private readonly signal: AbortSignal,
  ) {}

  async measure({
    samples,
    warmUpMs,
  }: Pick<ExploreBenchOptions, 'samples' | 'warmUpMs'>): Promise<
    WarmedUp & Pick<ExploreBenchCell, 'scheduleRates' | 'stepRates' | 'stepsMean' | 'failures'>
  > {
    const { perSecond, ...warmedUp } = await this.warmUp(warmUpMs);
    const schedules = Math.max(1, Math.round((perSecond * SAMPLE_MS) / 1000 / this.jobs));
    const scheduleRates: number[] = [];
    const stepRates: number[] = [];
    let failures = 0;
    for (let i = 0; i < samples; i++) {
      const { wallMs, results } = await this.round(schedules);
      const done = results.reduce((sum, result) => sum + result.schedules, 0);
      const steps = results.reduce((sum, result) => sum + result.stepsTotal, 0);
      scheduleRates.push((1000 * done) / wallMs);
      stepRates.push((1000 * steps) / wallMs);
      failures += results.reduce((sum, result) => sum + result.findings.length, 0);
    }
    return { scheduleRates, stepRates, stepsMean: this.stepsMean, failures, ...warmedUp };
  }

  /** `perSecond`: schedules at the end. */
  private async warmUp(limitMs: number): Promise<WarmedUp & { readonly perSecond: number }> {
    const endMs = performance.now() + limitMs;
    let best = 0;
    let done = 0;
    let steady = 0;
    for (; steady < STEADY_BLOCKS && performance.now() < endMs; steady++) {
      const { wallMs, results } = await this.round(WARMUP_SCHEDULES);
      // Of the first ones, which are the same in each run, however fast it is.
      if (done === 0) this.stepsMean = stepsMeanOf(results);
      const rate = (1000 * WARMUP_SCHEDULES * this.jobs) / wallMs;
      done += WARMUP_SCHEDULES;
      if (done < WARMUP_MIN_SCHEDULES || rate > best * (1 + STEADY_GAIN)) steady = -1;
      best = Math.max(best, rate);
    }
    const warmups = done / WARMUP_SCHEDULES;
    return { perSecond: best, warmups, isSteady: steady === STEADY_BLOCKS };
  }

  /** A block for each worker. */
  private async round(schedules: number): Promise<{ wallMs: number; results: readonly BlockResult[] }> {
    const startMs = performance.now();
    const results = await Promise.all(
      Array.from({ length: this.jobs }, () => this.pool.run(this.task(schedules), this.signal)),
    );
    return { wallMs: performance.now() - startMs, results };
  }

  private task(schedules: number): { block: BlockTask; stopAtFirst: boolean } {
    const index = this.blocks++;
    const { target } = this;
    const block: BlockTask = {
      target,
      targetKey: JSON.stringify(target),
      index,
      strategy: STRATEGY,
      seed: blockSeed(SEED, index),
      schedules,
      endAtSharedMs: Number.POSITIVE_INFINITY,
    };
    return { block, stopAtFirst: false };
  }
}
