/** A search: deals blocks of schedules out to workers and puts what they found together, in order. */

import { sharedNowMs } from '../base/sharedClock.js';
import { type BlockResult, type BlockTask, blockSeed, type Finding, isTooLong } from './block.js';
import { type Coverage, coverageOf, type DepthBound, depthBound } from './confidence.js';
import { withoutFunctions } from './ownCode.js';
import {
  blockSchedules,
  drawsAtRandom,
  isDepthFirst,
  portfolio,
  type StrategyName,
} from './strategies/makeStrategy.js';
import type { ExplorationTarget } from './target.js';
import { verdictKey } from './verdict.js';

/** A block that is told to stop has so long to end its schedule and to say what it has done. */
const GRACE_MS = 2000;

const PCT_NAME = /^pct(\d+)$/;

export interface ExplorationLimits {
  readonly schedules: number;
  /** Wall; what was not begun by then is not done, and what was is soon cut off. */
  readonly seconds: number;
  readonly seed: number;
  /** Null for the portfolio. */
  readonly strategy: StrategyName | null;
  /** Goes on after the first failure. */
  readonly keepGoing: boolean;
}

export interface ExplorationReport {
  readonly schedules: number;
  /** Of these, those that still got things done when their steps or the time ran out: they show neither that all is well nor that it is not. */
  readonly undecided: number;
  readonly stepsMin: number;
  readonly stepsMean: number;
  readonly stepsMax: number;
  readonly byStrategy: readonly { readonly strategy: StrategyName; readonly schedules: number }[];
  readonly findings: readonly Finding[];
  readonly coverage: Coverage;
  readonly bounds: readonly DepthBound[];
  readonly tasksMax: number;
  readonly choicesMax: number;
  /** Every schedule that the strategy can make has been run. */
  readonly isExhausted: boolean;
  /** Ended before it was done, by a signal. */
  readonly isPartial: boolean;
}

/** Runs one block, here or elsewhere. */
export type RunBlock = (task: BlockTask, signal: AbortSignal) => Promise<BlockResult>;

export class Exploration {
  /** That wait for one before them, by index. */
  private readonly early = new Map<number, BlockResult>();
  /** In order up to the first gap, or to the first that found something: whatever the number of jobs, the same ones. */
  private readonly counted: BlockResult[] = [];
  /** The first of each way to fail, of the counted blocks. */
  private readonly found = new Map<string, Finding>();
  private countedSchedules = 0;
  /** Of all blocks that have ended, for who watches. */
  private doneSchedules = 0;
  /** The first block that found something, or that nothing can be found: nothing after it counts. */
  private firstFound = Number.POSITIVE_INFINITY;
  private next = 0;
  /** Schedules of the blocks before the next one. */
  private dealt = 0;
  private endAtSharedMs = Number.POSITIVE_INFINITY;
  private readonly stop = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  private readonly target: ExplorationTarget;
  private readonly targetKey: string;

  constructor(
    target: ExplorationTarget,
    private readonly limits: ExplorationLimits,
    private readonly runBlock: RunBlock,
    private readonly nowMs: () => number,
    private readonly onProgress: (schedules: number, found: number) => void = () => {},
  ) {
    this.target = withoutFunctions(target);
    this.targetKey = JSON.stringify(this.target);
  }

  /** `jobs` blocks at a time. */
  async run(jobs: number, signal: AbortSignal): Promise<ExplorationReport> {
    const endMs = this.nowMs() + this.limits.seconds * 1000;
    this.endAtSharedMs = sharedNowMs() + this.limits.seconds * 1000;
    const { strategy } = this.limits;
    const lanes = strategy !== null && isDepthFirst(strategy) ? 1 : jobs;
    const workOn = async (end: AbortSignal): Promise<void> => {
      while (!signal.aborted && this.nowMs() < endMs && this.hasMore()) await this.runNext(end);
    };
    await this.stoppable(signal, workOn, lanes);
    return this.report(signal.aborted);
  }

  /** What blocks have done by the time of the signal counts, unless they take too long to say it. */
  private async stoppable(
    signal: AbortSignal,
    workOn: (end: AbortSignal) => Promise<void>,
    lanes: number,
  ): Promise<void> {
    const end = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      Atomics.store(new Int32Array(this.stop), 0, 1);
      timer = setTimeout(() => end.abort(), GRACE_MS);
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      await Promise.all(Array.from({ length: lanes }, () => workOn(end.signal)));
    } finally {
      signal.removeEventListener('abort', stop);
      clearTimeout(timer);
    }
  }

  private hasMore(): boolean {
    if (!this.limits.keepGoing && this.next > this.firstFound) return false;
    return this.dealt < this.limits.schedules;
  }

  private async runNext(signal: AbortSignal): Promise<void> {
    const task = this.deal();
    const { index } = task;
    try {
      const result = await this.runBlock(task, signal);
      if (isLast(result)) this.firstFound = Math.min(this.firstFound, index);
      this.early.set(index, result);
      this.countInOrder();
      this.doneSchedules += result.schedules;
      this.onProgress(this.doneSchedules, this.found.size);
    } catch (error) {
      // A block that was ended on the way has no result.
      if (!signal.aborted) throw error;
    }
  }

  /** In order, so that the blocks do not depend on who runs them. */
  private deal(): BlockTask {
    const { limits, target, targetKey, endAtSharedMs } = this;
    const index = this.next++;
    const strategy = limits.strategy ?? portfolio[index % portfolio.length];
    const schedules = Math.min(blockSchedules(strategy), limits.schedules - this.dealt);
    this.dealt += schedules;
    const seed = blockSeed(limits.seed, index);
    return { target, targetKey, index, strategy, seed, schedules, endAtSharedMs, stop: this.stop };
  }

  private countInOrder(): void {
    for (;;) {
      const { length: index } = this.counted;
      const result = this.early.get(index);
      if (result === undefined || (!this.limits.keepGoing && index > this.firstFound)) return;
      this.early.delete(index);
      this.count(result);
    }
  }

  private count(result: BlockResult): void {
    for (const finding of result.findings) {
      const key = verdictKey(finding.verdict);
      const schedule = this.countedSchedules + finding.schedule;
      if (!this.found.has(key)) this.found.set(key, { ...finding, schedule });
    }
    this.counted.push(result);
    this.countedSchedules += result.schedules;
  }

  private report(isPartial: boolean): ExplorationReport {
    const { counted: blocks, countedSchedules: schedules } = this;
    const tasksMax = most(blocks, (block) => block.tasksMax);
    const choicesMax = most(blocks, (block) => block.choicesMax);
    const byStrategy = sumByStrategy(blocks);
    return {
      schedules,
      undecided: sum(blocks, (block) => block.undecided),
      stepsMin: schedules === 0 ? 0 : least(blocks, (block) => block.stepsMin),
      stepsMean: schedules === 0 ? 0 : sum(blocks, (block) => block.stepsTotal) / schedules,
      stepsMax: most(blocks, (block) => block.stepsMax),
      byStrategy,
      findings: [...this.found.values()],
      coverage: coverageOf({
        drawn: hashesOf(blocks.filter(({ strategy }) => drawsAtRandom(strategy))),
        others: hashesOf(blocks.filter(({ strategy }) => !drawsAtRandom(strategy))),
      }),
      bounds: byStrategy.flatMap(({ strategy }) => {
        const depth = Number(PCT_NAME.exec(strategy)?.[1] ?? 0);
        const drawn = blocks.flatMap((block) => (block.strategy === strategy ? block.ranges : []));
        return depth === 0 ? [] : [depthBound(depth, drawn, tasksMax, choicesMax)];
      }),
      tasksMax,
      choicesMax,
      isExhausted: blocks.some(({ isComplete }) => isComplete),
      isPartial,
    };
  }
}

/** A search that is to end with the first finding goes no further; nor does one whose program is too long from the beginning. */
function isLast(result: BlockResult): boolean {
  return result.findings.length > 0 || (result.index === 0 && isTooLong(result));
}

/** Not as arguments of one call: of these there are only so many, and a search of an hour has more blocks. */
function most(blocks: readonly BlockResult[], of: (block: BlockResult) => number): number {
  return blocks.reduce((max, block) => Math.max(max, of(block)), 0);
}

function least(blocks: readonly BlockResult[], of: (block: BlockResult) => number): number {
  return blocks.reduce((min, block) => Math.min(min, of(block)), Number.POSITIVE_INFINITY);
}

function sum(blocks: readonly BlockResult[], of: (block: BlockResult) => number): number {
  return blocks.reduce((total, block) => total + of(block), 0);
}

function sumByStrategy(blocks: readonly BlockResult[]): { strategy: StrategyName; schedules: number }[] {
  const counts = new Map<StrategyName, number>();
  for (const { strategy, schedules } of blocks) counts.set(strategy, (counts.get(strategy) ?? 0) + schedules);
  return [...counts].map(([strategy, schedules]) => ({ strategy, schedules }));
}

function hashesOf(blocks: readonly BlockResult[]): Float64Array {
  const all = new Float64Array(sum(blocks, ({ hashes }) => hashes.length));
  let at = 0;
  for (const { hashes } of blocks) {
    all.set(hashes, at);
    at += hashes.length;
  }
  return all;
}
