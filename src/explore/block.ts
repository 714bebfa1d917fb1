/** A block of schedules: the unit in which a search is dealt out to workers, so that its result does not depend on how many there are. */

import { assert } from '../base/assert.js';
import { sharedNowMs } from '../base/sharedClock.js';
import { Random } from '../sim/random.js';
import { BufferStock } from './bufferStock.js';
import type { DrawnRange } from './confidence.js';
import { nondeterminismOf } from './nondeterminism.js';
import type { Outcome } from './outcome.js';
import { DepthFirst } from './strategies/depthFirst.js';
import { makeStrategy, type StrategyName } from './strategies/makeStrategy.js';
import { Pct } from './strategies/pct.js';
import type { SubjectRunner } from './subjectRunner.js';
import { type ExplorationTarget, runnerOf } from './target.js';
import { type Verdict, verdictKey } from './verdict.js';

/** A schedule that has begun may take so much longer than the search; then it is cut off. */
const LATE_MS = 1000;
/** Schedules between two looks at the clock. */
const LOOK_EVERY = 64;
/** Schedules between two looks at whether the machine is still put back as a whole. */
const CHECK_EVERY = 256;
/** Steps after which the clock is looked at whatever the number of schedules: long ones are few. */
const LOOK_STEPS = 200_000;
/** A program of which so many schedules were too long, and none was not, is too long: more would only take time. */
const UNDECIDED_MAX = 3;
/** One of so many schedules is run a second time, on a new machine, to see that it goes the same way. */
const AGAIN_EVERY = 250;

/** What is to be run of a search; plain data. */
export interface BlockPlan {
  readonly index: number;
  readonly strategy: StrategyName;
  readonly seed: number;
  readonly schedules: number;
  /** Of the clock that all threads share, {@link sharedNowMs}: no schedule begins after it, and none goes on for long. */
  readonly endAtSharedMs: number;
  /** Not 0 in its first word when no further schedule is to begin; shared by all blocks of a search. */
  readonly stop?: SharedArrayBuffer;
}

/** The same for a worker, with what it is to run. */
export interface BlockTask extends BlockPlan {
  readonly target: ExplorationTarget;
  /** Equal for equal targets: a worker keeps the machine of the last one. */
  readonly targetKey: string;
}

/** The first schedule of a block that ended in one way. */
export interface Finding {
  readonly verdict: Verdict;
  readonly strategy: StrategyName;
  /** Counted from the first of the whole search once the blocks are merged; within its block before. */
  readonly schedule: number;
  readonly steps: number;
  readonly preemptions: number;
  readonly choices: Uint32Array;
}

export interface BlockResult {
  readonly index: number;
  readonly strategy: StrategyName;
  readonly schedules: number;
  /** Of these, those that still got things done when their steps or the time ran out. */
  readonly undecided: number;
  readonly stepsTotal: number;
  readonly stepsMin: number;
  readonly stepsMax: number;
  /** Most choices, and most tasks, of any run. */
  readonly choicesMax: number;
  readonly tasksMax: number;
  /** One for each schedule, in order. */
  readonly hashes: Float64Array;
  /** Of PCT alone: from how many choices its schedules drew their changes. */
  readonly ranges: readonly DrawnRange[];
  /** One for each way to fail, in order. */
  readonly findings: readonly Finding[];
  /** Of a strategy that knows: it has run every schedule within its bound. */
  readonly isComplete: boolean;
}

/** None of its schedules could be judged: the program is too long to be explored. */
export function isTooLong({ undecided, schedules }: Pick<BlockResult, 'undecided' | 'schedules'>): boolean {
  return undecided > 0 && undecided === schedules;
}

/** Blocks of one search differ in their seeds. */
export function blockSeed(seed: number, index: number): number {
  return new Random(seed, index).u32();
}

/** One target after another in the same memory. */
const stock = new BufferStock();
let lastKey = '';
let lastRunner: SubjectRunner | null = null;

/** Ends early with the first failure where the caller wants no more. */
export function runBlock(task: BlockTask, stopAtFirst: boolean): BlockResult {
  if (lastRunner === null || lastKey !== task.targetKey) {
    lastRunner?.close();
    // Making the next one can fail, and this one must not run again.
    lastRunner = null;
    lastRunner = runnerOf(task.target, stock);
    lastKey = task.targetKey;
  }
  return runBlockOn(lastRunner, task, stopAtFirst);
}

/** The same with a runner that the caller has made. */
export function runBlockOn(runner: SubjectRunner, task: BlockPlan, stopAtFirst: boolean): BlockResult {
  const schedules = schedulesOf(runner, task, stopAtFirst);
  for (;;) {
    const { done, value } = schedules.next();
    if (done === true) return value;
  }
}

/** How far a block is. Where it has to be run a second time, it begins anew. */
export interface BlockProgress {
  readonly schedules: number;
  readonly steps: number;
}

/** The same for callers who have other things to do between two schedules. */
export function* schedulesOf(
  runner: SubjectRunner,
  task: BlockPlan,
  stopAtFirst: boolean,
): Generator<BlockProgress, BlockResult, undefined> {
  const result = yield* new Block(task, runner, true).run(stopAtFirst);
  // What was left behind is put back before each run of the second time, and so none of them can have begun with it.
  return result ?? (yield* new Block(task, runner, false).counted(stopAtFirst));
}

class Block {
  /** One for each schedule: some blocks know no end, and must not have room for all that they may run. */
  private readonly hashes: number[] = [];
  /** Schedules by range. */
  private readonly ranges = new Map<number, number>();
  private readonly findings: Finding[] = [];
  private readonly keys = new Set<string>();
  private done = 0;
  private undecided = 0;
  /** Steps by the last look at the clock. */
  private stepsLooked = 0;
  private stepsTotal = 0;
  private stepsMin = Number.POSITIVE_INFINITY;
  private stepsMax = 0;
  private choicesMax = 0;
  private tasksMax = 0;

  constructor(
    private readonly task: BlockPlan,
    private readonly runner: SubjectRunner,
    /** Otherwise everything is looked at before each run, and all of them count. */
    private readonly trusts: boolean,
  ) {}

  /** Of a block that does not trust. */
  *counted(stopAtFirst: boolean): Generator<BlockProgress, BlockResult, undefined> {
    const result = yield* this.run(stopAtFirst);
    assert(result !== null, 'a run began with what another had left behind, though that was looked for');
    return result;
  }

  /** Null if its runs do not count: one of them left something behind for those after it. */
  *run(stopAtFirst: boolean): Generator<BlockProgress, BlockResult | null, undefined> {
    const { index, strategy: name, seed, schedules, endAtSharedMs } = this.task;
    const stop = this.task.stop === undefined ? null : new Int32Array(this.task.stop);
    const isStopped = (): boolean => stop !== null && Atomics.load(stop, 0) !== 0;
    this.runner.isLate = () => isStopped() || sharedNowMs() >= endAtSharedMs + LATE_MS;
    const strategy = makeStrategy(name, seed);
    while (this.done < schedules && !(stopAtFirst && this.hasSeenEnough())) {
      if (isStopped()) break;
      if (this.isTimeToLook() && sharedNowMs() >= endAtSharedMs) break;
      // The block before has looked at its end.
      if (this.done > 0 && this.done % CHECK_EVERY === 0 && !this.runner.hasStayedClean()) return null;
      const outcome = this.trusts ? this.runner.runTrusting(strategy) : this.runner.run(strategy);
      if (outcome === null || (outcome.isUndecided && isStopped())) break;
      this.note(this.isToRunAgain(outcome) ? this.runAgain(outcome) : outcome);
      if (strategy instanceof Pct) this.noteRange(strategy.range);
      if (outcome.isUndecided && sharedNowMs() >= endAtSharedMs) break;
      yield { schedules: this.done, steps: this.stepsTotal };
    }
    if (!this.runner.hasStayedClean()) return null;
    return {
      index,
      strategy: name,
      schedules: this.done,
      undecided: this.undecided,
      stepsTotal: this.stepsTotal,
      stepsMin: this.stepsMin,
      stepsMax: this.stepsMax,
      choicesMax: this.choicesMax,
      tasksMax: this.tasksMax,
      hashes: Float64Array.from(this.hashes),
      ranges: [...this.ranges].map(([range, count]) => ({ range, schedules: count })),
      findings: this.findings,
      isComplete: strategy instanceof DepthFirst && strategy.isComplete && this.undecided === 0,
    };
  }

  private hasSeenEnough(): boolean {
    const { findings, undecided, done } = this;
    return findings.length > 0 || (undecided >= UNDECIDED_MAX && undecided === done);
  }

  private isTimeToLook(): boolean {
    const isTime =
      this.done % LOOK_EVERY === LOOK_EVERY - 1 || this.stepsTotal - this.stepsLooked >= LOOK_STEPS;
    if (isTime) this.stepsLooked = this.stepsTotal;
    return isTime;
  }

  /** A failure counts only where it comes on a new machine too. What was cut off has no end that could be the same. */
  private isToRunAgain({ verdict, isUndecided }: Outcome): boolean {
    if (isUndecided) return false;
    return this.done % AGAIN_EVERY === 0 || (verdict !== null && !this.keys.has(verdictKey(verdict)));
  }

  private runAgain(outcome: Outcome): Outcome {
    const verdict = nondeterminismOf(this.runner, outcome);
    return verdict === null ? outcome : { ...outcome, verdict };
  }

  private note({ verdict, isUndecided, steps, preemptions, hash, choices, tasks }: Outcome): void {
    this.hashes.push(hash);
    this.stepsTotal += steps;
    this.stepsMin = Math.min(this.stepsMin, steps);
    this.stepsMax = Math.max(this.stepsMax, steps);
    this.choicesMax = Math.max(this.choicesMax, choices.length);
    this.tasksMax = Math.max(this.tasksMax, tasks);
    if (isUndecided) this.undecided++;
    if (verdict !== null) this.noteFailure(verdict, { steps, preemptions, choices });
    this.done++;
  }

  private noteRange(range: number): void {
    this.ranges.set(range, (this.ranges.get(range) ?? 0) + 1);
  }

  private noteFailure(verdict: Verdict, run: Pick<Finding, 'steps' | 'preemptions' | 'choices'>): void {
    const key = verdictKey(verdict);
    if (this.keys.has(key)) return;
    this.keys.add(key);
    this.findings.push({ verdict, strategy: this.task.strategy, schedule: this.done, ...run });
  }
}
