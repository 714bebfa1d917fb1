/** What watches a run step by step: an invariant that is held against each named step and the state at that moment. */

import type { Machine } from '../../actors/machine.js';
import type { StepObserver } from '../../sim/scheduler.js';

/** Where a checker tells of what does not hold. The run ends before the next step; the first report counts. */
export interface ViolationSink {
  /** `detail` in words: what was found, and what should be. */
  report(invariant: string, detail: string): void;
}

/**
 * Made anew for each run. It changes nothing of the machine; it sees each step on the way, before anything after it, with the state as it is then.
 * Steps are the hot path: it should look at the step's number first, and allocate nothing where all is well.
 */
export interface Checker extends StepObserver {
  /** When nothing runs any more and all programs have ended. */
  atRest?(): void;
}

/** A kind of checker; the identity is that of the invariant, such as `I2`. */
export interface CheckerKind {
  readonly id: string;
  /** In one line: what must hold. */
  readonly title: string;
  /** Cheap enough for runs in threads. */
  readonly isCheap: boolean;
  make(machine: Machine, sink: ViolationSink): Checker;
}
