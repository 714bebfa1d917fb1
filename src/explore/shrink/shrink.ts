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
import { saysTheSame, verdictKey } from '../verdict.js';
import { type ProgramSize, programSize, sizeKeys } from './programSize.js';
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
const PAGE_STEPS = 0.5;

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

const shrinkingKeys = ['preemptions', 'steps', ...sizeKeys] as const;

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
  private runsLeft = 0;
  private stepsLeft = 0;
  /** Of those to come. */
  private phasesLeft = PHASES;
  private laterRuns: number;
  private laterSteps: number;
  /** A phase was ended by its limits. */
  private isCut = false;
  /** The whole program has failed under every schedule that was tried, so that only words tell one failure from another. */
  private neverHolds = false;
  /** What {@link switchesOf} found last. */
  private like: { readonly of: Small; readonly switches: SwitchList } | null = null;
  /** The part of {@link TRIES} that a smaller program gets. */
  private triesShare = 1;
  /** Of each run besides its steps. */
  private readonly runCost: number;
  /** What has more steps than what was found is no smaller, however few its preemptions are. */
  private readonly stepsMost: number;

  constructor(
    private readonly target: ExplorationTarget,
    private readonly finding: Finding,
    limits: ShrinkLimits,
    /** Memory of the programs that were tried. */
    private readonly stock: BufferStock,
  ) {
    this.key = verdictKey(finding.verdict);
    this.runCost = RUN_STEPS + Math.ceil(PAGE_STEPS * (programSize(target.source) ?? NO_PROGRAM).pages);
    this.laterRuns = limits.runs;
    this.laterSteps = limits.steps;
    // What comes again and again takes as many steps as it is given.
    this.stepsMost = finding.verdict.kind === 'livelock' ? Number.POSITIVE_INFINITY : finding.steps;
  }

  run(): Shrunk {
    const runner = runnerOf(this.target, this.stock);
    const { outcome } = runner.replay(this.finding.choices);
    const first: Small = { target: this.target, runner, outcome };
    this.neverHolds = this.target.bug === null && !this.holdsAnew(this.target, 'once');
    const smallest = this.fails(outcome) ? this.smallest(first) : first;
    // A livelock that takes more steps, and is smaller in nothing else.
    const small = isSmaller(sizeOf(smallest), sizeOf(first)) ? smallest : first;
    smallest.runner.close();
    const { verdict, steps, preemptions, choices } = small.outcome;
    return {
      target: small.target,
      finding: { ...this.finding, verdict: verdict ?? this.finding.verdict, steps, preemptions, choices },
      from: sizeOf(first),
      to: sizeOf(small),
      isCut: this.isCut,
    };
  }

  /** The steps of a livelock first: every run of a smaller program would take as many. */
  private smallest(first: Small): Small {
    const program = this.smallerProgram(this.fewerSteps(this.fewerSwitches(first)));
    return this.fewerSteps(this.fewerSwitches(this.asLong(program)));
  }

  /** As many steps again as what was found had: most of a short run is fair, and only what comes before that has switches to leave out. */
  private asLong(small: Small): Small {
    if (small.target.stepsMax === this.target.stepsMax) return small;
    const target = this.withAllSteps(small.target);
    const runner = runnerOf(target, this.stock);
    this.triesShare = 1;
    const outcome = this.failureLike(small, runner);
    (outcome === null ? runner : small.runner).close();
    return outcome === null ? small : { target, runner, outcome };
  }

  private withAllSteps({ stepsMax: _shorter, ...target }: ExplorationTarget): ExplorationTarget {
    const { stepsMax } = this.target;
    return stepsMax === undefined ? target : { ...target, stepsMax };
  }

  /** Each phase has its share, so that the last one is not left out because of the one before, and what that one has left. */
  private beginPhase(): void {
    const share = (later: number, left: number): number => Math.floor((later + left) / this.phasesLeft);
    const runs = share(this.laterRuns, Math.max(0, this.runsLeft));
    const steps = share(this.laterSteps, Math.max(0, this.stepsLeft));
    this.laterRuns += this.runsLeft - runs;
    this.laterSteps += this.stepsLeft - steps;
    this.runsLeft = runs;
    this.stepsLeft = steps;
    this.phasesLeft--;
  }

  private readonly isOver = (): boolean => {
    const isOver = this.runsLeft <= 0 || this.stepsLeft <= 0;
    this.isCut ||= isOver;
    return isOver;
  };

  private runOne(runner: SubjectRunner, strategy: Strategy): Outcome | null {
    const outcome = runner.run(strategy);
    this.charge(outcome);
    return outcome;
  }

  private replayOne(runner: SubjectRunner, choices: Outcome['choices']): Outcome {
    const { outcome } = runner.replay(choices);
    this.charge(outcome);
    return outcome;
  }

  private charge(outcome: Outcome | null): void {
    this.runsLeft--;
    this.stepsLeft -= this.runCost + (outcome?.steps ?? 0);
  }

  private fails(outcome: Outcome | null): outcome is Outcome {
    if (outcome?.verdict == null) return false;
    if (this.neverHolds) return saysTheSame(outcome.verdict, this.finding.verdict);
    return verdictKey(outcome.verdict) === this.key;
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
      if (this.isOver()) return false;
      const outcome = this.runOne(runner, new SwitchStrategy({ switches, randoms }));
      if (!this.fails(outcome) || outcome.steps > this.stepsMost) return false;
      best = { ...small, outcome };
      return true;
    };
    if (!holds(finder.switches)) return small;
    if (!holds([])) smallestSubset(finder.switches, holds, this.isOver);
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
    for (let inVain = 0; inVain < sources.length && !this.isOver(); ) {
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
    if (outcome !== null && this.canHold(target)) return { target, runner, outcome };
    runner.close();
    return null;
  }

  /** By the same schedule as far as it goes, or by any other of a few. */
  private failureLike(like: Small, runner: SubjectRunner): Outcome | null {
    return this.firstFailure(runner, this.switchesOf(like));
  }

  /** Found once for each program that others are tried after. */
  private switchesOf(small: Small): SwitchList {
    if (this.like?.of === small) return this.like.switches;
    const finder = new SwitchFinder(small.outcome.choices);
    this.runOne(small.runner, finder);
    this.like = { of: small, switches: finder };
    return finder;
  }

  /**
   * A program that lost what its own expectations need fails as well, but shows nothing: without the bug it must hold, and where there is none, under
   * some schedule at least, if the whole one does.
   */
  private canHold(target: ExplorationTarget): boolean {
    if (target.bug !== null) return this.holdsAnew({ ...target, bug: null }, 'always');
    return this.neverHolds || this.holdsAnew(target, 'once');
  }

  private holdsAnew(target: ExplorationTarget, wanted: 'always' | 'once'): boolean {
    const runner = this.runnerFor(this.withAllSteps(target));
    if (runner === null) return false;
    const strategy = makeStrategy('random', SEED);
    const schedules = wanted === 'always' ? SOUND_SCHEDULES : HOLD_SCHEDULES;
    let holds = wanted === 'always';
    // Until one says what the answer is.
    for (let i = 0; i < schedules && holds === (wanted === 'always'); i++)
      holds = this.runOne(runner, strategy)?.verdict === null;
    runner.close();
    return holds;
  }

  /** A state that comes again and again does so sooner where it is looked for sooner. */
  private fewerSteps(start: Small): Small {
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
    const outcome = this.replayOne(runner, small.outcome.choices);
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

  private firstFailure(runner: SubjectRunner, like: SwitchList): Outcome | null {
    const same = this.tryWith(runner, new SwitchStrategy(like), 1);
    if (same !== null) return same;
    for (const { name, schedules } of TRIES) {
      const tries = Math.ceil(schedules * this.triesShare);
      const outcome = this.tryWith(runner, makeStrategy(name, SEED), tries);
      if (outcome !== null) return outcome;
    }
    return null;
  }

  private tryWith(runner: SubjectRunner, strategy: Strategy, schedules: number): Outcome | null {
    for (let i = 0; i < schedules && !this.isOver(); i++) {
      const outcome = this.runOne(runner, strategy);
      if (this.fails(outcome) && outcome.steps <= this.stepsMost) return outcome;
    }
    return null;
  }
}

function isSmaller(size: Size, than: Size): boolean {
  return shrinkingKeys.some((key) => size[key] < than[key]);
}

function isRepeated({ verdict }: Outcome): boolean {
  return verdict?.kind === 'livelock' && verdict.message.startsWith(SAME_STATE);
}

const NO_PROGRAM: ProgramSize = { operations: 0, pages: 0, devices: 0, contexts: 0, threads: 0 };

function sizeOf({ target, outcome }: Small): Size {
  const { steps, preemptions } = outcome;
  return { steps, preemptions, ...(programSize(target.source) ?? NO_PROGRAM) };
}
