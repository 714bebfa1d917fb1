/** The checkers of a run, told only of the steps that each has asked for. */

import type { Machine } from '../../actors/machine.js';
import type { StepObserver } from '../../sim/scheduler.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { Checker, CheckerKind, ViolationSink } from './checker.js';

/** Which kinds are interested in which step: made once for many runs. */
export class CheckerPlan {
  /** By step: positions in {@link kinds}. */
  readonly byStep: (readonly number[] | undefined)[] = [];

  constructor(readonly kinds: readonly CheckerKind[]) {
    const byStep = new Map<StepId, number[]>();
    kinds.forEach(({ steps }, i) => {
      for (const step of new Set(steps)) byStep.set(step, [...(byStep.get(step) ?? []), i]);
    });
    const length = 1 + Math.max(-1, ...byStep.keys());
    this.byStep = Array.from({ length }, (_, step) => byStep.get(step as StepId));
  }

  /** Watches `machine` from now on; what is planned for nobody costs nothing. */
  attach(machine: Machine, sink: ViolationSink): CheckerSet {
    const set = new CheckerSet(this, machine, sink);
    if (this.kinds.length > 0) machine.sched.addObserver(set);
    return set;
  }
}

/** One run's checkers. */
export class CheckerSet implements StepObserver {
  private readonly checkers: readonly Checker[];
  private readonly byStep: (readonly number[] | undefined)[];

  constructor({ kinds, byStep }: CheckerPlan, machine: Machine, sink: ViolationSink) {
    this.byStep = byStep;
    this.checkers = kinds.map((kind) => kind.make(machine, sink));
  }

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    if (step >= this.byStep.length) return;
    const interested = this.byStep[step];
    if (interested === undefined) return;
    for (let i = 0; i < interested.length; i++) {
      this.checkers[interested[i]].onStep(task, step, a, b, c, d);
    }
  }

  /** When nothing runs any more. */
  atRest(): void {
    for (const checker of this.checkers) checker.atRest?.();
  }
}
