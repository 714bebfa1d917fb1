/** Runs a setup under many schedules, looking for one that goes wrong, and repeats what it finds. */

import { SEED_MAX } from '../base/seedMax.js';
import { UserError } from '../base/userError.js';
import { allCheckers } from '../check/online/allCheckers.js';
import { type BlockResult, blockSeed, type Finding, runBlockOn } from '../explore/block.js';
import { smallMachine } from '../explore/smallMachine.js';
import { portfolio, type StrategyName, strategyNames } from '../explore/strategies/makeStrategy.js';
import { ReplayStrategy } from '../explore/strategies/replay.js';
import type { Subject } from '../explore/subject.js';
import { STEPS_MAX, SubjectRunner } from '../explore/subjectRunner.js';
import type { Verdict } from '../explore/verdict.js';
import { checkMachine } from '../scenario/memoryNeed.js';
import { describeStepEvent } from './describeStepEvent.js';
import { refuseUnknown, requireKeys, requireWhole } from './given.js';
import { configure, requireVirtual, type Setup } from './setup.js';

/** Schedules of one strategy in a row, where strategies take turns. */
const TURN = 50;
const DEFAULT_SCHEDULES = 1000;
const COUNT_MAX = 1e9;
const OPTIONS = 'explore';

/** How far a search goes, and how it chooses schedules. */
export interface ExploreOptions {
  /** At most; 1000 unless told. Fewer where none of the first can be judged, or the strategy has no more. */
  readonly schedules?: number;
  /** Strategies take turns unless one is named. */
  readonly strategy?: StrategyName;
  readonly seed?: number;
  /** Steps after which a run that gets nothing done counts as one without an end; 20,000 unless told. One that gets on may have eight times as many. */
  readonly stepsMax?: number;
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

/** On this thread; all invariants are watched in every step. @throws UserError for a mistake in the setup. */
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
  refuseUnknown(OPTIONS, options, ['schedules', 'strategy', 'seed', 'stepsMax']);
  const { schedules, strategy, seed, stepsMax } = options;
  requireWhole(OPTIONS, 'schedules', schedules, 1, COUNT_MAX);
  requireWhole(OPTIONS, 'stepsMax', stepsMax, 1, COUNT_MAX);
  requireWhole(OPTIONS, 'seed', seed, 0, SEED_MAX);
  if (strategy === undefined || strategyNames.includes(strategy)) return;
  throw new UserError({
    where: OPTIONS,
    key: 'strategy',
    found: String(strategy),
    allowed: strategyNames.join(', '),
  });
}

class Search {
  private readonly runner: SubjectRunner;
  private readonly hashes: number[] = [];
  private steps = 0;
  private undecided = 0;

  constructor(
    subject: Subject,
    private readonly options: ExploreOptions,
  ) {
    const stepsMax = options.stepsMax ?? STEPS_MAX;
    this.runner = new SubjectRunner(subject, { checkers: allCheckers, overlay: null, stepsMax });
  }

  run(): ExploreResult {
    const { schedules = DEFAULT_SCHEDULES, strategy } = this.options;
    for (let turn = 0; this.hashes.length < schedules; turn++) {
      const left = schedules - this.hashes.length;
      const wanted = strategy === undefined ? Math.min(TURN, left) : left;
      const before = this.hashes.length;
      const result = this.runTurn(turn, wanted);
      const [found] = result.findings;
      if (found !== undefined) return this.result(this.failureOf(found, before), false);
      if (result.isComplete) return this.result(null, true);
      // It has no more to offer, or none of its schedules can be judged.
      if (result.schedules < wanted && (strategy !== undefined || turn === 0)) break;
    }
    return this.result(null, false);
  }

  private runTurn(turn: number, schedules: number): BlockResult {
    const { seed = 1, strategy = portfolio[turn % portfolio.length] } = this.options;
    const plan = { index: turn, strategy, seed: blockSeed(seed, turn), schedules };
    const result = runBlockOn(this.runner, { ...plan, endAtSharedMs: Number.POSITIVE_INFINITY }, true);
    this.hashes.push(...result.hashes);
    this.steps += result.stepsTotal;
    this.undecided += result.undecided;
    return result;
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

  private result(failure: ExploredFailure | null, isExhausted: boolean): ExploreResult {
    const distinct = new Set(this.hashes).size;
    const { undecided, steps } = this;
    return { schedules: this.hashes.length, distinct, undecided, steps, isExhausted, failure };
  }
}
