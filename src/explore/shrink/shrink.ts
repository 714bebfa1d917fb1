/** Makes a failure smaller: fewer operations, fewer switches between tasks, fewer steps, as long as it fails in the same way. */

import { UserError } from '../../base/userError.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Finding } from '../block.js';
import type { Outcome } from '../outcome.js';
import { makeStrategy } from '../strategies/makeStrategy.js';
import type { SubjectRunner } from '../subjectRunner.js';
import { type ExplorationTarget, runnerOf } from '../target.js';
import { verdictKey } from '../verdict.js';
import { operationsOf, smallerSources } from './smallerSources.js';
import { smallestSubset } from './smallestSubset.js';
import { SwitchFinder, type SwitchList, SwitchStrategy } from './switches.js';

/** Schedules tried for each smaller program, by strategy. */
const TRIES = [
  { name: 'random', schedules: 40 },
  { name: 'pct3', schedules: 20 },
] as const;
const SEED = 1;
/** Schedules of a strategy that preempts seldom, in the hope for one that fails as well. */
const SELDOM = { name: 'pct3', schedules: 60 } as const;
/** First the schedule, so that smaller programs can be tried with it; then the program; then the schedule of the smallest one. */
const PHASES = 3;

export interface ShrinkLimits {
  /** Runs in all: the result depends on this and on nothing of the machine. */
  readonly runs: number;
  /** Wall; a last resort, after which the result is what there is. */
  readonly seconds: number;
}

export const SHRINK_LIMITS: ShrinkLimits = { runs: 4000, seconds: 30 };

export interface Size {
  readonly steps: number;
  readonly preemptions: number;
  readonly operations: number;
}

export interface Shrunk {
  readonly target: ExplorationTarget;
  readonly finding: Finding;
  readonly from: Size;
  readonly to: Size;
  /** The seconds were over first. */
  readonly isCut: boolean;
}

/** A failure with the program that shows it. */
interface Small {
  readonly target: ExplorationTarget;
  readonly runner: SubjectRunner;
  readonly outcome: Outcome;
}

export function shrink(
  target: ExplorationTarget,
  finding: Finding,
  nowMs: () => number,
  limits: ShrinkLimits = SHRINK_LIMITS,
): Shrunk {
  return new Shrinking(target, finding, nowMs, limits).run();
}

class Shrinking {
  private readonly key: string;
  private readonly runsPerPhase: number;
  /** Of the phase that is under way. */
  private budget = { left: 0 };
  private readonly endMs: number;

  constructor(
    private readonly target: ExplorationTarget,
    private readonly finding: Finding,
    private readonly nowMs: () => number,
    limits: ShrinkLimits,
  ) {
    this.key = verdictKey(finding.verdict);
    this.runsPerPhase = Math.floor(limits.runs / PHASES);
    this.endMs = nowMs() + limits.seconds * 1000;
  }

  run(): Shrunk {
    const runner = runnerOf(this.target);
    const { outcome } = runner.replay(this.finding.choices);
    const first: Small = { target: this.target, runner, outcome };
    const small = this.fails(outcome)
      ? this.fewerSwitches(this.smallerProgram(this.fewerSwitches(first)))
      : first;
    const { verdict, steps, preemptions, choices } = small.outcome;
    return {
      target: small.target,
      finding: { ...this.finding, verdict: verdict ?? this.finding.verdict, steps, preemptions, choices },
      from: sizeOf(first),
      to: sizeOf(small),
      isCut: this.isLate,
    };
  }

  private get isLate(): boolean {
    return this.nowMs() > this.endMs;
  }

  private fails(outcome: Outcome | null): outcome is Outcome {
    return outcome?.verdict != null && verdictKey(outcome.verdict) === this.key;
  }

  /** From the failure itself, or from one that has fewer preemptions to begin with. */
  private fewerSwitches(found: Small): Small {
    const { runner } = found;
    this.budget = { left: this.runsPerPhase };
    const seldom = this.tryWith(runner, makeStrategy(SELDOM.name, SEED), SELDOM.schedules);
    const isFewer = seldom !== null && seldom.preemptions < found.outcome.preemptions;
    const small = isFewer ? { ...found, outcome: seldom } : found;
    const finder = new SwitchFinder(small.outcome.choices);
    this.budget.left--;
    if (!this.fails(runner.run(finder))) return small;
    const { randoms } = finder;
    let best = small;
    const holds = (switches: SwitchList['switches']): boolean => {
      if (this.isLate) return false;
      const outcome = runner.run(new SwitchStrategy({ switches, randoms }));
      if (!this.fails(outcome)) return false;
      best = { ...small, outcome };
      return true;
    };
    if (!holds(finder.switches)) return small;
    if (!holds([])) smallestSubset(finder.switches, holds, this.budget);
    return best;
  }

  /** The first smaller program that fails in the same way takes the place of this one, until none does. */
  private smallerProgram(start: Small): Small {
    this.budget = { left: this.runsPerPhase };
    let small = start;
    for (;;) {
      const next = this.nextSmaller(small);
      if (next === null) return small;
      small = next;
    }
  }

  private nextSmaller(small: Small): Small | null {
    for (const source of smallerSources(small.target.source)) {
      if (this.budget.left <= 0 || this.isLate) return null;
      const found = this.failureOf({ ...small.target, source }, small);
      if (found !== null) return found;
    }
    return null;
  }

  /** By the same schedule as far as it goes, or by any other of a few. */
  private failureOf(target: ExplorationTarget, like: Small): Small | null {
    const runner = runnerFor(target);
    if (runner === null) return null;
    const finder = new SwitchFinder(like.outcome.choices);
    like.runner.run(finder);
    const outcome = this.firstFailure(runner, finder);
    return outcome === null ? null : { target, runner, outcome };
  }

  private firstFailure(runner: SubjectRunner, like: SwitchList): Outcome | null {
    const same = this.tryWith(runner, new SwitchStrategy(like), 1);
    if (same !== null) return same;
    for (const { name, schedules } of TRIES) {
      const outcome = this.tryWith(runner, makeStrategy(name, SEED), schedules);
      if (outcome !== null) return outcome;
    }
    return null;
  }

  private tryWith(runner: SubjectRunner, strategy: Strategy, schedules: number): Outcome | null {
    for (let i = 0; i < schedules && this.budget.left > 0 && !this.isLate; i++) {
      this.budget.left--;
      const outcome = runner.run(strategy);
      if (this.fails(outcome)) return outcome;
    }
    return null;
  }
}

/** Null for a program that no machine can be made for. */
function runnerFor(target: ExplorationTarget): SubjectRunner | null {
  try {
    return runnerOf(target);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

function sizeOf({ target, outcome }: Small): Size {
  return { steps: outcome.steps, preemptions: outcome.preemptions, operations: operationsOf(target.source) };
}
