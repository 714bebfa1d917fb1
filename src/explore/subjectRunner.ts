/** Runs a subject again and again, each time on a machine as new, and says what became of each run. */

import { assert } from '../base/assert.js';
import type { BugOverlay } from '../bugs/bugOverlay.js';
import type { CheckerKind } from '../check/online/checker.js';
import { CheckerPlan } from '../check/online/checkerSet.js';
import type { Strategy } from '../sim/strategy.js';
import { allocateBuffers, type SharedBuffers } from '../simulation/sharedBuffers.js';
import { VirtualMachine } from '../simulation/virtualMachine.js';
import { BufferEraser } from './bufferEraser.js';
import { disturbersOf } from './disturbers.js';
import { Execution, type ExecutionLimits } from './execution.js';
import type { Outcome } from './outcome.js';
import { RecordingStrategy } from './recordingStrategy.js';
import { ReplayStrategy } from './strategies/replay.js';
import type { Subject } from './subject.js';

/** More than any run of a small program needs that gets anywhere. */
export const STEPS_MAX = 20_000;

/** Simulated: modelled costs are left out, and without any time whoever sleeps would wait for all others. */
const STEP_NS = 100;

/** A strategy may leave a task waiting for this part of a run. */
const UNFAIR_SHARE = 0.25;
/** After so much more of it progress is watched: what the unfair part left behind has then had its chance. */
const SETTLING_SHARE = 0.05;

export interface RunnerOptions {
  readonly checkers: readonly CheckerKind[];
  readonly overlay: BugOverlay | null;
  /** Steps after which a run counts as one that has no end. */
  readonly stepsMax: number;
  /** Steps after which programs without an end are told to stop; as long as the schedule may be unfair, unless told. */
  readonly disturbedSteps?: number | undefined;
}

export class SubjectRunner {
  private readonly buffers: SharedBuffers;
  private readonly plan: CheckerPlan;
  private readonly limits: ExecutionLimits;
  private readonly eraser: BufferEraser;
  /** Of the run before; it is over. */
  private last: VirtualMachine | null = null;
  /** Of a run; what disturbs it has the same time. */
  private readonly unfairSteps: number;

  constructor(
    readonly subject: Subject,
    private readonly options: RunnerOptions,
  ) {
    this.buffers = allocateBuffers(subject.config);
    this.plan = new CheckerPlan(options.checkers);
    const { stepsMax, disturbedSteps } = options;
    const disturbers = disturbersOf(subject.config);
    const unfair = Math.ceil(stepsMax * UNFAIR_SHARE);
    this.unfairSteps = disturbers.length > 0 ? (disturbedSteps ?? unfair) : unfair;
    this.limits = {
      stepsMax,
      watchAfter: this.unfairSteps + Math.ceil(stepsMax * SETTLING_SHARE),
      calmAfter: this.unfairSteps,
      disturbers,
    };
    this.eraser = new BufferEraser(this.buffers);
  }

  /** One run with the next schedule of the strategy; null when it has no more to offer. */
  run(strategy: Strategy): Outcome | null {
    return this.runRecorded(new RecordingStrategy(strategy, this.unfairSteps));
  }

  /** The run with these choices; exact unless one of them could not be made. */
  replay(choices: Uint32Array): { readonly outcome: Outcome; readonly isExact: boolean } {
    const strategy = new ReplayStrategy(choices);
    const outcome = this.runRecorded(new RecordingStrategy(strategy, Number.POSITIVE_INFINITY));
    assert(outcome !== null, 'a replay has no execution');
    return { outcome, isExact: strategy.isExact };
  }

  private runRecorded(recording: RecordingStrategy): Outcome | null {
    if (!recording.newExecution()) return null;
    const execution = this.begin(recording);
    const { executor } = execution;
    const stepsTaken = (): number => executor.steps;
    recording.stepsTaken = stepsTaken;
    const { verdict } = execution.run();
    const { schedule, preemptions } = recording;
    return {
      verdict,
      steps: executor.steps,
      simulatedNs: executor.now(),
      tasks: executor.tasksStarted,
      preemptions,
      hash: schedule.hash,
      choices: schedule.choices(),
    };
  }

  /** A run that has not begun; the one before must have ended. The strategy has prepared for it. */
  begin(strategy: Strategy): Execution {
    if (this.last !== null) this.eraser.erase(this.last);
    const { config, extensions } = this.subject;
    const machine = new VirtualMachine(config, this.buffers, strategy, extensions);
    machine.executor.stepNs = STEP_NS;
    this.last = machine;
    this.options.overlay?.apply(machine.parts);
    return new Execution(this.subject, machine, this.limits, this.plan);
  }
}
