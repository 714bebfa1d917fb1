/** What watches a run step by step: an invariant that is held against each named step and the state at that moment. */

import type { Machine } from '../../actors/machine.js';
import type { StepObserver } from '../../sim/scheduler.js';
import type { StepId } from '../../sim/steps.js';

/** Where a checker tells of what does not hold. The run ends before the next step; the first report counts. */
export interface ViolationSink {
  /** `detail` in words: what was found, and what should be. */
  report(invariant: string, detail: string): void;
}

/**
 * Made anew for each run. It changes nothing of the machine; it sees the steps that it asked for on the way, before anything after them, with
 * the state as it is then. Steps are the hot path: it should allocate nothing where all is well.
 */
export interface Checker extends StepObserver {
  /** When nothing runs any more and all programs have ended. */
  atRest?(): void;
}

/** A kind of checker; the identity is that of the invariant, such as `I2`, whose halves may be watched by several. */
export interface CheckerKind {
  readonly id: string;
  /** In one line: what must hold. */
  readonly title: string;
  /**
   * It looks at the Coordinator's steps and state only, and not at much of it: good for runs in threads, where `devices` and `cpus` of the machine
   * are empty.
   */
  readonly isCheap: boolean;
  /** The only steps that it is told of. */
  readonly steps: readonly StepId[];
  make(machine: Machine, sink: ViolationSink): Checker;
}
