/** Runs a subject again and again, each time on a machine as new, and says what became of each run. */

import { assert } from '../base/assert.js';
import type { BugOverlay } from '../bugs/bugOverlay.js';
import type { CheckerKind } from '../check/online/checker.js';
import { CheckerPlan } from '../check/online/checkerSet.js';
import type { Strategy } from '../sim/strategy.js';
import { allocateBuffers, type SharedBuffers } from '../simulation/sharedBuffers.js';
import { VirtualMachine } from '../simulation/virtualMachine.js';
import { BufferEraser } from './bufferEraser.js';
import { Execution, type ExecutionLimits } from './execution.js';
import type { Outcome } from './outcome.js';
import { RecordingStrategy } from './recordingStrategy.js';
import { ReplayStrategy } from './strategies/replay.js';
import type { Subject } from './subject.js';

/** More than any run of a small program needs that gets anywhere. */
export const STEPS_MAX = 20_000;

/** A strategy may leave a task waiting for this part of a run. */
const UNFAIR_SHARE = 0.25;
/** After this part of a run its progress is watched: what the unfair part left behind has then had its chance. */
const WATCHED_SHARE = 0.3;

export interface RunnerOptions {
  readonly checkers: readonly CheckerKind[];
  readonly overlay: BugOverlay | null;
  /** Steps after which a run counts as one that has no end. */
  readonly stepsMax: number;
}

export class SubjectRunner {
  private readonly buffers: SharedBuffers;
  private readonly plan: CheckerPlan;
  private readonly limits: ExecutionLimits;
  private readonly eraser: BufferEraser;
  /** Of the run before; it is over. */
  private last: VirtualMachine | null = null;

  constructor(
    readonly subject: Subject,
    private readonly options: RunnerOptions,
  ) {
    this.buffers = allocateBuffers(subject.config);
    this.plan = new CheckerPlan(options.checkers);
    const { stepsMax } = options;
    this.limits = { stepsMax, watchAfter: Math.ceil(stepsMax * WATCHED_SHARE) };
    this.eraser = new BufferEraser(this.buffers);
  }

  /** One run with the next schedule of the strategy; null when it has no more to offer. */
  run(strategy: Strategy): Outcome | null {
    return this.runRecorded(new RecordingStrategy(strategy, this.options.stepsMax * UNFAIR_SHARE));
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
    recording.stepsTaken = () => executor.steps;
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
    this.last = machine;
    this.options.overlay?.apply(machine.parts);
    return new Execution(this.subject, machine, this.limits, this.plan);
  }
}
