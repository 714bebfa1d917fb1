/** Runs a setup under many schedules, looking for one that goes wrong, and repeats what it finds. */

import { setImmediate } from 'node:timers/promises';
import { SEED_MAX } from '../base/seedMax.js';
import { sharedNowMs } from '../base/sharedClock.js';
import { UserError } from '../base/userError.js';
import { allCheckers } from '../check/online/allCheckers.js';
import {
  type BlockProgress,
  type BlockResult,
  blockSeed,
  type Finding,
  schedulesOf,
} from '../explore/block.js';
import { smallMachine } from '../explore/smallMachine.js';
import { portfolio, type StrategyName, strategyNames } from '../explore/strategies/makeStrategy.js';
import { ReplayStrategy } from '../explore/strategies/replay.js';
import type { Subject } from '../explore/subject.js';
import { STEPS_MAX, SubjectRunner } from '../explore/subjectRunner.js';
import type { Verdict } from '../explore/verdict.js';
import { checkMachine } from '../scenario/memoryNeed.js';
import { describeStepEvent } from './describeStepEvent.js';
import { isFunction, isSignal, refuseUnknown, requireKeys, requireOptional, requireWhole } from './given.js';
import { configure, requireVirtual, type Setup } from './setup.js';

/** Schedules of one strategy in a row, where strategies take turns. */
const TURN = 50;
const DEFAULT_SCHEDULES = 1000;
const COUNT_MAX = 1e9;
const SECONDS_MAX = 1e6;
/** Between two turns of the event loop, so that a signal is heard and timers of the caller's go on. */
const TURN_EVERY_MS = 20;
const PROGRESS_EVERY_MS = 250;
const OPTIONS = 'explore';
const OPTION_KEYS = ['schedules', 'strategy', 'seed', 'stepsMax', 'seconds', 'signal', 'onProgress'];

/** How far a search goes, and how it chooses schedules. */
export interface ExploreOptions {
  /**
   * At most; 1000 unless told, or with `seconds` as many as there is time for. Fewer where none of the first can be judged, or the strategy has no
   * more.
   */
  readonly schedules?: number;
  /** Strategies take turns unless one is named. */
  readonly strategy?: StrategyName;
  readonly seed?: number;
  /** Steps after which a run that gets nothing done counts as one without an end; 20,000 unless told. One that gets on may have eight times as many. */
  readonly stepsMax?: number;
  /** Wall time after which no schedule begins, and one that runs is soon cut off. */
  readonly seconds?: number;
  /** Ends the search between two schedules, with what was found so far. */
  readonly signal?: AbortSignal;
  /** Called now and then while the search goes on. */
  readonly onProgress?: (progress: ExploreProgress) => void;
}

/** How far a search is. */
export interface ExploreProgress {
  readonly schedules: number;
  readonly steps: number;
  /** Of wall time, since it began. */
  readonly elapsedMs: number;
}

/** What a search has seen. */
export interface ExploreResult {
  readonly schedules: number;
  /** Of these, how many were different. */
  readonly distinct: number;
  /** Those that still got things done when their steps ran out: too long to be judged. */
  readonly undecided: number;
  readonly steps: number;
  /** Every schedule within the bound of a depth first search has been run to its end. */
  readonly isExhausted: boolean;
  /** The signal has ended it before its schedules, or its time, had run out. */
  readonly isPartial: boolean;
  /** The first that went wrong; the search ends with it. */
  readonly failure: ExploredFailure | null;
}

/** One schedule that went wrong. */
export interface ExploredFailure {
  /** What went wrong: a broken invariant, wrong data, a deadlock, a livelock, a leak, a failed assertion; or code of yours that does not follow from its choices. */
  readonly verdict: Verdict;
  readonly strategy: StrategyName;
  /** From 0. */
  readonly schedule: number;
  readonly steps: number;
  /** Changes from a task that could have gone on to another one. */
  readonly preemptions: number;
  /** Every choice: with the same code they give the same run, unless the verdict is `nondeterminism`. */
  readonly choices: Uint32Array;
  /** The same run once more, as lines: who took which named step, in order. */
  replay(): readonly string[];
}

/** On this thread, which others have a turn of now and then; all invariants are watched in every step. @throws UserError for a mistake in the setup. */
export async function explore(setup: Setup, options: ExploreOptions = {}): Promise<ExploreResult> {
  requireVirtual('setup', setup);
  checkOptions(options);
  const { config: asked, extensions } = await configure({ ...setup, executor: 'virtual' });
  const config = smallMachine(asked);
  checkMachine(config);
  const subject: Subject = { name: config.name, config, program: null, extensions };
  return new Search(subject, options).run();
}

/** Callers without types get their mistakes said too. @throws UserError */
function checkOptions(options: ExploreOptions): void {
  requireKeys(OPTIONS, null, options, 'an object with options of a search');
  refuseUnknown(OPTIONS, options, OPTION_KEYS);
  const { schedules, strategy, seed, stepsMax, seconds, signal, onProgress } = options;
  requireWhole(OPTIONS, 'schedules', schedules, 1, COUNT_MAX);
  requireWhole(OPTIONS, 'stepsMax', stepsMax, 1, COUNT_MAX);
  requireWhole(OPTIONS, 'seed', seed, 0, SEED_MAX);
  requireOptional(OPTIONS, 'seconds', seconds, isTime, `a number above 0, of at most ${SECONDS_MAX}`);
  requireOptional(OPTIONS, 'signal', signal, isSignal, 'an AbortSignal');
  requireOptional(OPTIONS, 'onProgress', onProgress, isFunction, 'a function');
  if (strategy === undefined || strategyNames.includes(strategy)) return;
  throw new UserError({
    where: OPTIONS,
    key: 'strategy',
    found: String(strategy),
    allowed: strategyNames.join(', '),
  });
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= SECONDS_MAX;
}

class Search {
  private readonly runner: SubjectRunner;
  private readonly hashes: number[] = [];
  private steps = 0;
  private undecided = 0;
  private readonly startedMs = sharedNowMs();
  private readonly endAtSharedMs: number;
  /** Tells the block that runs that the signal has come. */
  private readonly stop = new SharedArrayBuffer(4);
  private turnedMs = this.startedMs;
  private toldMs = this.startedMs;

  constructor(
    subject: Subject,
    private readonly options: ExploreOptions,
  ) {
    const { stepsMax = STEPS_MAX, seconds = Number.POSITIVE_INFINITY } = options;
    this.endAtSharedMs = this.startedMs + 1000 * seconds;
    this.runner = new SubjectRunner(subject, { checkers: allCheckers, overlay: null, stepsMax });
  }

  async run(): Promise<ExploreResult> {
    const { strategy, seconds } = this.options;
    const { schedules = seconds === undefined ? DEFAULT_SCHEDULES : COUNT_MAX } = this.options;
    for (let turn = 0; this.hashes.length < schedules && !this.isOver; turn++) {
      const left = schedules - this.hashes.length;
      const wanted = strategy === undefined ? Math.min(TURN, left) : left;
      const before = this.hashes.length;
      const result = await this.runTurn(turn, wanted);
      const [found] = result.findings;
      if (found !== undefined) return this.result(this.failureOf(found, before), false);
      if (result.isComplete) return this.result(null, true);
      // It has no more to offer, or none of its schedules can be judged.
      if (result.schedules < wanted && (strategy !== undefined || turn === 0)) break;
    }
    return this.result(null, false, this.isAborted && this.hashes.length < schedules);
  }

  private get isAborted(): boolean {
    return this.options.signal?.aborted === true;
  }

  private get isOver(): boolean {
    return this.isAborted || sharedNowMs() >= this.endAtSharedMs;
  }

  private async runTurn(turn: number, schedules: number): Promise<BlockResult> {
    const { seed = 1, strategy = portfolio[turn % portfolio.length] } = this.options;
    const plan = { index: turn, strategy, seed: blockSeed(seed, turn), schedules };
    const { endAtSharedMs, stop } = this;
    const block = schedulesOf(this.runner, { ...plan, endAtSharedMs, stop }, true);
    for (;;) {
      const { done, value } = block.next();
      if (done === true) return this.noted(value);
      await this.betweenSchedules(value);
    }
  }

  private noted(result: BlockResult): BlockResult {
    for (const hash of result.hashes) this.hashes.push(hash);
    this.steps += result.stepsTotal;
    this.undecided += result.undecided;
    return result;
  }

  private async betweenSchedules({ schedules, steps }: BlockProgress): Promise<void> {
    const { onProgress } = this.options;
    const nowMs = sharedNowMs();
    if (onProgress !== undefined && nowMs - this.toldMs >= PROGRESS_EVERY_MS) {
      this.toldMs = nowMs;
      onProgress({
        schedules: this.hashes.length + schedules,
        steps: this.steps + steps,
        elapsedMs: nowMs - this.startedMs,
      });
    }
    if (nowMs - this.turnedMs >= TURN_EVERY_MS) {
      await setImmediate();
      this.turnedMs = sharedNowMs();
    }
    if (this.isAborted) Atomics.store(new Int32Array(this.stop), 0, 1);
  }

  private failureOf(found: Finding, before: number): ExploredFailure {
    const { choices } = found;
    return { ...found, schedule: before + found.schedule, replay: () => this.replay(choices) };
  }

  private replay(choices: Uint32Array): string[] {
    const strategy = new ReplayStrategy(choices);
    strategy.newExecution();
    const execution = this.runner.begin(strategy, { isNew: true });
    const lines: string[] = [];
    const { names } = execution.machine;
    execution.executor.addObserver({
      onStep: (task, step, ...args) => {
        if (task !== null)
          lines.push(`${names[task.actor]} ${task.name}: ${describeStepEvent(step, args, names)}`);
      },
    });
    execution.run();
    return lines;
  }

  private result(failure: ExploredFailure | null, isExhausted: boolean, isPartial = false): ExploreResult {
    const distinct = new Set(this.hashes).size;
    const { undecided, steps } = this;
    return { schedules: this.hashes.length, distinct, undecided, steps, isExhausted, isPartial, failure };
  }
}
