/** Runs a setup under many schedules, looking for one that goes wrong, and repeats what it finds. */

import { SEED_MAX } from '../base/seedMax.js';
import { UserError } from '../base/userError.js';
import { allCheckers } from '../check/online/allCheckers.js';
import { blockSeed } from '../explore/block.js';
import { smallMachine } from '../explore/smallMachine.js';
import {
  makeStrategy,
  portfolio,
  type StrategyName,
  strategyNames,
} from '../explore/strategies/makeStrategy.js';
import { ReplayStrategy } from '../explore/strategies/replay.js';
import type { Subject } from '../explore/subject.js';
import { STEPS_MAX, SubjectRunner } from '../explore/subjectRunner.js';
import type { Verdict } from '../explore/verdict.js';
import { describeStepEvent } from './describeStepEvent.js';
import { configure, refuseUnknown, requireVirtual, requireWhole, type Setup } from './setup.js';

/** Schedules of one strategy in a row, where strategies take turns. */
const TURN = 50;
const DEFAULT_SCHEDULES = 1000;
const COUNT_MAX = 1e9;
const OPTIONS = 'explore';

/** How far a search goes, and how it chooses schedules. */
export interface ExploreOptions {
  /** At most; 1000 unless told. */
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
  /** Every schedule that the strategy can make has been run. */
  readonly isExhausted: boolean;
  /** The first that went wrong; the search ends with it. */
  readonly failure: ExploredFailure | null;
}

/** One schedule that went wrong. */
export interface ExploredFailure {
  /** What went wrong: a broken invariant, wrong data, a deadlock, a livelock, a leak, a failed assertion. */
  readonly verdict: Verdict;
  readonly strategy: StrategyName;
  /** From 0. */
  readonly schedule: number;
  readonly steps: number;
  /** Changes from a task that could have gone on to another one. */
  readonly preemptions: number;
  /** Every choice: with the same code they give the same run. */
  readonly choices: Uint32Array;
  /** The same run once more, as lines: who took which named step, in order. */
  replay(): readonly string[];
}

/** On this thread; all invariants are watched in every step. @throws UserError for a mistake in the setup. */
export async function explore(setup: Setup, options: ExploreOptions = {}): Promise<ExploreResult> {
  requireVirtual('setup', setup);
  checkOptions(options);
  const { config, extensions } = await configure({ ...setup, executor: 'virtual' });
  const subject: Subject = { name: config.name, config: smallMachine(config), program: null, extensions };
  return new Search(subject, options).run();
}

/** Callers without types get their mistakes said too. @throws UserError */
function checkOptions(options: ExploreOptions): void {
  refuseUnknown(OPTIONS, options, ['schedules', 'strategy', 'seed', 'stepsMax']);
  const { schedules, strategy, seed, stepsMax } = options;
  if (schedules !== undefined) requireWhole(OPTIONS, 'schedules', schedules, 1, COUNT_MAX);
  if (stepsMax !== undefined) requireWhole(OPTIONS, 'stepsMax', stepsMax, 1, COUNT_MAX);
  if (seed !== undefined) requireWhole(OPTIONS, 'seed', seed, 0, SEED_MAX);
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
    const { schedules = DEFAULT_SCHEDULES } = this.options;
    for (let turn = 0; this.hashes.length < schedules; turn++) {
      const left = schedules - this.hashes.length;
      const found = this.runTurn(turn, this.options.strategy === undefined ? Math.min(TURN, left) : left);
      if (found !== null) return this.result(found === 'exhausted' ? null : found, found === 'exhausted');
    }
    return this.result(null, false);
  }

  private runTurn(turn: number, schedules: number): ExploredFailure | 'exhausted' | null {
    const { seed = 1, strategy: wanted } = this.options;
    const name = wanted ?? portfolio[turn % portfolio.length];
    const strategy = makeStrategy(name, blockSeed(seed, turn));
    for (let i = 0; i < schedules; i++) {
      const outcome = this.runner.run(strategy);
      if (outcome === null) return 'exhausted';
      this.hashes.push(outcome.hash);
      this.steps += outcome.steps;
      if (outcome.isUndecided) this.undecided++;
      const { verdict, steps, preemptions, choices } = outcome;
      if (verdict === null) continue;
      const found = {
        verdict,
        strategy: name,
        schedule: this.hashes.length - 1,
        steps,
        preemptions,
        choices,
      };
      return { ...found, replay: () => this.replay(choices) };
    }
    return null;
  }

  private replay(choices: Uint32Array): string[] {
    const strategy = new ReplayStrategy(choices);
    strategy.newExecution();
    const execution = this.runner.begin(strategy);
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
