/** Runs a subject again and again, each time on a machine as new, and says what became of each run. */

import { assert } from '../base/assert.js';
import type { BugOverlay } from '../bugs/bugOverlay.js';
import type { CheckerKind } from '../check/online/checker.js';
import { CheckerPlan } from '../check/online/checkerSet.js';
import type { Strategy } from '../sim/strategy.js';
import { BufferStock } from './bufferStock.js';
import { disturbersOf } from './disturbers.js';
import { Execution, type ExecutionLimits } from './execution.js';
import { type HowReady, MachinePark } from './machinePark.js';
import type { Outcome } from './outcome.js';
import { RecordingStrategy } from './recordingStrategy.js';
import { Schedule } from './schedule.js';
import { ReplayStrategy } from './strategies/replay.js';
import type { Subject } from './subject.js';

/** More than most runs of a small program need; one that gets on may have them several times. */
export const STEPS_MAX = 20_000;

/** A strategy may leave a task waiting for this part of a run. */
const UNFAIR_SHARE = 0.25;
/** Steps between two questions whether there is time for more of a run. */
const ASK_EVERY = 1024;

/** After so much more of it progress is watched: what the unfair part left behind has then had its chance. */
const SETTLING_SHARE = 0.05;

export interface RunnerOptions {
  readonly checkers: readonly CheckerKind[];
  readonly overlay: BugOverlay | null;
  /** Steps after which a run that gets nothing done counts as one that has no end. */
  readonly stepsMax: number;
  /** Steps after which programs without an end are told to stop; as long as the schedule may be unfair, unless told. */
  readonly disturbedSteps?: number | undefined;
  /** Where its memory comes from, and goes when it is closed; its own, unless told. */
  readonly stock?: BufferStock | undefined;
}

export class SubjectRunner {
  private readonly machines: MachinePark;
  private readonly limits: ExecutionLimits;
  /** Of the run that goes on, or was the last. */
  private readonly schedule = new Schedule();
  /** Of a run; what disturbs it has the same time. */
  private readonly unfairSteps: number;
  /** Asked now and then: true ends the run where it is, undecided. For searches that have only so much time. */
  isLate: (() => boolean) | null = null;

  constructor(
    readonly subject: Subject,
    options: RunnerOptions,
  ) {
    const { overlay, checkers, stepsMax, disturbedSteps, stock = new BufferStock() } = options;
    this.machines = new MachinePark(subject, overlay, new CheckerPlan(checkers), stock);
    const disturbers = disturbersOf(subject.config);
    const unfair = Math.ceil(stepsMax * UNFAIR_SHARE);
    this.unfairSteps = disturbers.length > 0 ? (disturbedSteps ?? unfair) : unfair;
    this.limits = {
      stepsMax,
      watchAfter: this.unfairSteps + Math.ceil(stepsMax * SETTLING_SHARE),
      calmAfter: this.unfairSteps,
      disturbers,
    };
  }

  /** One run with the next schedule of the strategy; null when it has no more to offer. */
  run(strategy: Strategy): Outcome | null {
    return this.runRecorded(this.recording(strategy, this.unfairSteps), {});
  }

  /**
   * As {@link run}, on a machine of which only that is put back which runs have been seen to change. It counts only if {@link hasStayedClean} says so
   * afterwards: a run that changes something for the first time leaves it so to the runs after it.
   */
  runTrusting(strategy: Strategy): Outcome | null {
    return this.runRecorded(this.recording(strategy, this.unfairSteps), { trusts: true });
  }

  /** Whether all runs since the last call have begun with the machine as it should be. If not, they will from now on. */
  hasStayedClean(): boolean {
    return this.machines.hasStayedClean();
  }

  /** The run with these choices; exact unless one of them could not be made. On a new machine, if wanted, and not on the one of the runs before. */
  replay(choices: Uint32Array, isNew = false): { readonly outcome: Outcome; readonly isExact: boolean } {
    const strategy = new ReplayStrategy(choices);
    const outcome = this.runRecorded(this.recording(strategy, Number.POSITIVE_INFINITY), { isNew });
    assert(outcome !== null, 'a replay has no execution');
    return { outcome, isExact: strategy.isExact };
  }

  /** It runs nothing after this. */
  close(): void {
    this.machines.close();
  }

  private recording(strategy: Strategy, fairAfter: number): RecordingStrategy {
    return new RecordingStrategy(strategy, fairAfter, this.schedule);
  }

  private runRecorded(recording: RecordingStrategy, how: HowReady): Outcome | null {
    if (!recording.newExecution()) return null;
    const execution = this.begin(recording, how);
    const { executor } = execution;
    const stepsTaken = (): number => executor.steps;
    recording.stepsTaken = stepsTaken;
    if (this.isLate !== null) execution.isLate = oneIn(ASK_EVERY, this.isLate);
    const { verdict, isUndecided, isStopped } = execution.run();
    const { schedule, preemptions } = recording;
    return {
      verdict,
      isUndecided: isUndecided || isStopped,
      steps: executor.steps,
      simulatedNs: executor.now(),
      tasks: executor.tasksStarted,
      preemptions,
      hash: schedule.hash,
      choices: schedule.choices(),
    };
  }

  /** A run that has not begun; the one before must have ended. The strategy has prepared for it. */
  begin(strategy: Strategy, how: HowReady = {}): Execution {
    return new Execution(this.subject, this.machines.ready(strategy, how), this.limits);
  }
}

/** Asks once in so many times. */
function oneIn(count: number, ask: () => boolean): () => boolean {
  let times = 0;
  return () => ++times % count === 0 && ask();
}
