/** Makes a failure smaller: fewer operations, fewer switches between tasks, fewer steps, as long as it fails in the same way. */

import { UserError } from '../../base/userError.js';
import type { Strategy } from '../../sim/strategy.js';
import type { Finding } from '../block.js';
import { BufferStock } from '../bufferStock.js';
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

/** Schedules tried for each smaller program, by strategy, where the failure is rare. */
const TRIES = [
  { name: 'random', schedules: 40 },
  { name: 'pct3', schedules: 20 },
] as const;
/** Schedules of the whole program that tell how rare it is. */
const SAMPLE = 12;
/** Times the schedules that one failure takes on average: with fewer a smaller program that fails as well would often be missed. */
const PATIENCE = 4;
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
/** What making the machine of a run costs, in steps, and each page of the program, which is written and compared. */
const RUN_STEPS = 100;
const PAGE_STEPS = 2;

/** All runs together. What comes out depends on these and on nothing of the machine. */
export interface ShrinkLimits {
  readonly runs: number;
  /** Of the protocol, and what runs cost besides. */
  readonly steps: number;
}

export const SHRINK_LIMITS: ShrinkLimits = { runs: 3000, steps: 1_000_000 };

export interface Size extends ProgramSize {
  readonly steps: number;
  readonly preemptions: number;
}

export interface Shrunk {
  readonly target: ExplorationTarget;
  readonly finding: Finding;
  readonly from: Size;
  readonly to: Size;
  /** The limits were reached first. */
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
  limits: ShrinkLimits = SHRINK_LIMITS,
  stock = new BufferStock(),
): Shrunk {
  return new Shrinking(target, finding, limits, stock).run();
}

class Shrinking {
  private readonly key: string;
  /** Of the phase that is under way. */
  private readonly budget = { left: 0 };
  private stepsLeft = 0;
  /** A phase was ended by its limits. */
  private isCut = false;
  /** The whole program goes well under some schedule; null before that was looked at. */
  private couldHold: boolean | null = null;
  /** The part of {@link TRIES} that a smaller program gets. */
  private triesShare = 1;
  /** Of each run besides its steps. */
  private readonly runCost: number;

  constructor(
    private readonly target: ExplorationTarget,
    private readonly finding: Finding,
    private readonly limits: ShrinkLimits,
    /** Memory of the programs that were tried. */
    private readonly stock: BufferStock,
  ) {
    this.key = verdictKey(finding.verdict);
    this.runCost = RUN_STEPS + PAGE_STEPS * (programSize(target.source) ?? NO_PROGRAM).pages;
  }

  run(): Shrunk {
    const runner = runnerOf(this.target, this.stock);
    const { outcome } = runner.replay(this.finding.choices);
    const first: Small = { target: this.target, runner, outcome };
    const small = this.fails(outcome)
      ? this.fewerSteps(this.fewerSwitches(this.smallerProgram(this.fewerSwitches(first))))
      : first;
    small.runner.close();
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
    this.budget.left = Math.floor(this.limits.runs / PHASES);
    this.stepsLeft = Math.floor(this.limits.steps / PHASES);
  }

  private get isOver(): boolean {
    const isOver = this.budget.left <= 0 || this.stepsLeft <= 0;
    this.isCut ||= isOver;
    return isOver;
  }

  private runOne(runner: SubjectRunner, strategy: Strategy): Outcome | null {
    const outcome = runner.run(strategy);
    this.budget.left--;
    this.stepsLeft -= this.runCost + (outcome?.steps ?? 0);
    return outcome;
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
    if (!this.fails(this.runOne(runner, finder))) return small;
    const { randoms } = finder;
    let best = small;
    const holds = (switches: SwitchList['switches']): boolean => {
      if (this.isOver) return false;
      const outcome = this.runOne(runner, new SwitchStrategy({ switches, randoms }));
      if (!this.fails(outcome)) return false;
      best = { ...small, outcome };
      return true;
    };
    if (!holds(finder.switches)) return small;
    if (!holds([])) smallestSubset(finder.switches, holds, this.budget);
    return best;
  }

  /**
   * The first smaller program that fails in the same way takes the place of this one, until none does. Goes on where it was, since what comes before that
   * was tried with hardly more than the present program.
   */
  private smallerProgram(start: Small): Small {
    this.beginPhase();
    this.triesShare = this.rarity(start.runner);
    let small = start;
    let sources = smallerSources(small.target.source);
    let at = 0;
    for (let inVain = 0; inVain < sources.length && !this.isOver; ) {
      at %= sources.length;
      const found = this.failureOf({ ...small.target, source: sources[at] }, small);
      if (found === null) {
        at++;
        inVain++;
        continue;
      }
      small.runner.close();
      small = found;
      sources = smallerSources(small.target.source);
      inVain = 0;
    }
    return small;
  }

  /** Of a failure that most schedules show little has to be tried. */
  private rarity(runner: SubjectRunner): number {
    const strategy = makeStrategy('random', SEED);
    let failed = 0;
    for (let i = 0; i < SAMPLE; i++) if (this.fails(this.runOne(runner, strategy))) failed++;
    const all = TRIES.reduce((sum, { schedules }) => sum + schedules, 0);
    return failed === 0 ? 1 : Math.min(1, (PATIENCE * SAMPLE) / failed / all);
  }

  /** Null where a program does not fail in the same way. */
  private failureOf(target: ExplorationTarget, like: Small): Small | null {
    const runner = this.runnerFor(target);
    if (runner === null) return null;
    const outcome = this.failureLike(like, runner);
    if (outcome !== null && this.canHold(target, runner)) return { target, runner, outcome };
    runner.close();
    return null;
  }

  /** By the same schedule as far as it goes, or by any other of a few. */
  private failureLike(like: Small, runner: SubjectRunner): Outcome | null {
    const finder = new SwitchFinder(like.outcome.choices);
    like.runner.run(finder);
    // A livelock takes as many steps as it is given.
    const isEndless = like.outcome.verdict?.kind === 'livelock';
    const stepsMost = isEndless ? Number.POSITIVE_INFINITY : like.outcome.steps;
    return this.firstFailure(runner, finder, stepsMost);
  }

  /**
   * A program that lost what its own expectations need fails as well, but shows nothing: without the bug it must hold, and where there is none, under
   * some schedule at least, if the program from before did.
   */
  private canHold(target: ExplorationTarget, runner: SubjectRunner): boolean {
    if (target.bug !== null)
      return this.holdsAnew({ ...target, bug: null }, SOUND_SCHEDULES) === SOUND_SCHEDULES;
    this.couldHold ??= this.holdsAnew(this.target, HOLD_SCHEDULES) > 0;
    return !this.couldHold || this.holdsWith(runner, HOLD_SCHEDULES) > 0;
  }

  private holdsAnew(target: ExplorationTarget, schedules: number): number {
    const runner = this.runnerFor(target);
    if (runner === null) return 0;
    const held = this.holdsWith(runner, schedules);
    runner.close();
    return held;
  }

  /** How many schedules go well. */
  private holdsWith(runner: SubjectRunner, schedules: number): number {
    const strategy = makeStrategy('random', SEED);
    let held = 0;
    for (let i = 0; i < schedules; i++) {
      if (this.runOne(runner, strategy)?.verdict === null) held++;
    }
    return held;
  }

  /** A state that comes again and again does so sooner where it is looked for sooner. */
  private fewerSteps(start: Small): Small {
    this.beginPhase();
    let small = start;
    for (let stepsMax = start.outcome.steps; stepsMax >= STEPS_LEAST; stepsMax = Math.floor(stepsMax / 2)) {
      const outcome = isRepeated(small.outcome) ? this.sooner(small, stepsMax) : null;
      if (outcome === null) continue;
      small.runner.close();
      small = outcome;
    }
    return small;
  }

  private sooner(small: Small, stepsMax: number): Small | null {
    const target = { ...small.target, stepsMax };
    const runner = runnerOf(target, this.stock);
    const { outcome } = runner.replay(small.outcome.choices);
    if (this.fails(outcome) && isRepeated(outcome) && outcome.steps < small.outcome.steps)
      return { target, runner, outcome };
    runner.close();
    return null;
  }

  /** Null for a program that no machine can be made for. */
  private runnerFor(target: ExplorationTarget): SubjectRunner | null {
    try {
      return runnerOf(target, this.stock);
    } catch (error) {
      if (error instanceof UserError) return null;
      throw error;
    }
  }

  /** Of no more steps than the program has now. */
  private firstFailure(runner: SubjectRunner, like: SwitchList, stepsMost: number): Outcome | null {
    const same = this.tryWith(runner, new SwitchStrategy(like), 1, stepsMost);
    if (same !== null) return same;
    for (const { name, schedules } of TRIES) {
      const tries = Math.ceil(schedules * this.triesShare);
      const outcome = this.tryWith(runner, makeStrategy(name, SEED), tries, stepsMost);
      if (outcome !== null) return outcome;
    }
    return null;
  }

  private tryWith(
    runner: SubjectRunner,
    strategy: Strategy,
    schedules: number,
    stepsMost = Number.POSITIVE_INFINITY,
  ): Outcome | null {
    for (let i = 0; i < schedules && !this.isOver; i++) {
      const outcome = this.runOne(runner, strategy);
      if (this.fails(outcome) && outcome.steps <= stepsMost) return outcome;
    }
    return null;
  }
}

function isRepeated({ verdict }: Outcome): boolean {
  return verdict?.kind === 'livelock' && verdict.message.startsWith(SAME_STATE);
}

const NO_PROGRAM: ProgramSize = { operations: 0, pages: 0, devices: 0, contexts: 0, threads: 0 };

function sizeOf({ target, outcome }: Small): Size {
  const { steps, preemptions } = outcome;
  return { steps, preemptions, ...(programSize(target.source) ?? NO_PROGRAM) };
}
