/** Makes a failure smaller: fewer operations, fewer switches between tasks, fewer steps, as long as it fails in the same way. */

import { UserError } from '../../base/userError.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Finding } from '../block.js';
import type { Outcome } from '../outcome.js';
import { SAME_STATE } from '../progress/progressWatch.js';
import { makeStrategy } from '../strategies/makeStrategy.js';
import type { SubjectRunner } from '../subjectRunner.js';
import { type ExplorationTarget, runnerOf } from '../target.js';
import { verdictKey } from '../verdict.js';
import { type ProgramSize, programSize } from './programSize.js';
import { smallerSources } from './smallerSources.js';
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
/** Schedules without the bug that must all go well, and without any of which one must. */
const SOUND_SCHEDULES = 6;
const HOLD_SCHEDULES = 20;
/** Fewer than any livelock needs to come round often enough. */
const STEPS_LEAST = 64;

export interface ShrinkLimits {
  /** Runs in all: the result depends on this and on nothing of the machine. */
  readonly runs: number;
  /** Wall; a last resort, after which the result is what there is. */
  readonly seconds: number;
}

export const SHRINK_LIMITS: ShrinkLimits = { runs: 4000, seconds: 30 };

export interface Size extends ProgramSize {
  readonly steps: number;
  readonly preemptions: number;
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
  private readonly msPerPhase: number;
  /** Of the phase that is under way. */
  private endMs = 0;
  /** A phase was ended by the clock. */
  private isCut = false;
  /** The whole program goes well under some schedule; null before that was looked at. */
  private couldHold: boolean | null = null;

  constructor(
    private readonly target: ExplorationTarget,
    private readonly finding: Finding,
    private readonly nowMs: () => number,
    limits: ShrinkLimits,
  ) {
    this.key = verdictKey(finding.verdict);
    this.runsPerPhase = Math.floor(limits.runs / PHASES);
    this.msPerPhase = (limits.seconds * 1000) / PHASES;
  }

  run(): Shrunk {
    const runner = runnerOf(this.target);
    const { outcome } = runner.replay(this.finding.choices);
    const first: Small = { target: this.target, runner, outcome };
    const small = this.fails(outcome)
      ? this.fewerSteps(this.fewerSwitches(this.smallerProgram(this.fewerSwitches(first))))
      : first;
    const { verdict, steps, preemptions, choices } = small.outcome;
    return {
      target: small.target,
      finding: { ...this.finding, verdict: verdict ?? this.finding.verdict, steps, preemptions, choices },
      from: sizeOf(first),
      to: sizeOf(small),
      isCut: this.isCut,
    };
  }

  /** Each phase has its share, so that the last one is not left out because of the one before. */
  private beginPhase(): void {
    this.budget = { left: this.runsPerPhase };
    this.endMs = this.nowMs() + this.msPerPhase;
  }

  private get isLate(): boolean {
    const isLate = this.nowMs() > this.endMs;
    this.isCut ||= isLate;
    return isLate;
  }

  private fails(outcome: Outcome | null): outcome is Outcome {
    return outcome?.verdict != null && verdictKey(outcome.verdict) === this.key;
  }

  /** From the failure itself, or from one that has fewer preemptions to begin with. */
  private fewerSwitches(found: Small): Small {
    const { runner } = found;
    this.beginPhase();
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
    this.beginPhase();
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
    return outcome === null || !this.canHold(target, runner) ? null : { target, runner, outcome };
  }

  /**
   * A program that lost what its own expectations need fails as well, but shows nothing: without the bug it must hold, and where there is none, under
   * some schedule at least, if the program from before did.
   */
  private canHold(target: ExplorationTarget, runner: SubjectRunner): boolean {
    if (target.bug !== null)
      return this.holdsWith(runnerFor({ ...target, bug: null }), SOUND_SCHEDULES) === SOUND_SCHEDULES;
    this.couldHold ??= this.holdsWith(runnerFor(this.target), HOLD_SCHEDULES) > 0;
    return !this.couldHold || this.holdsWith(runner, HOLD_SCHEDULES) > 0;
  }

  /** How many schedules go well. */
  private holdsWith(runner: SubjectRunner | null, schedules: number): number {
    const strategy = makeStrategy('random', SEED);
    let held = 0;
    for (let i = 0; i < schedules && runner !== null; i++) {
      this.budget.left--;
      if (runner.run(strategy)?.verdict === null) held++;
    }
    return held;
  }

  /** A state that comes again and again does so sooner where it is looked for sooner. */
  private fewerSteps(start: Small): Small {
    this.beginPhase();
    let small = start;
    for (let stepsMax = start.outcome.steps; stepsMax >= STEPS_LEAST; stepsMax = Math.floor(stepsMax / 2)) {
      const outcome = isRepeated(small.outcome) ? this.sooner(small, stepsMax) : null;
      if (outcome !== null) small = outcome;
    }
    return small;
  }

  private sooner(small: Small, stepsMax: number): Small | null {
    const target = { ...small.target, stepsMax };
    const runner = runnerOf(target);
    const { outcome } = runner.replay(small.outcome.choices);
    return this.fails(outcome) && isRepeated(outcome) && outcome.steps < small.outcome.steps
      ? { target, runner, outcome }
      : null;
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

function isRepeated({ verdict }: Outcome): boolean {
  return verdict?.kind === 'livelock' && verdict.message.startsWith(SAME_STATE);
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

const NO_PROGRAM: ProgramSize = { operations: 0, pages: 0, devices: 0, contexts: 0, threads: 0 };

function sizeOf({ target, outcome }: Small): Size {
  const { steps, preemptions } = outcome;
  return { steps, preemptions, ...(programSize(target.source) ?? NO_PROGRAM) };
}
