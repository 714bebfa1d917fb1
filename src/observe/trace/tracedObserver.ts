/** Has each step of an actor both counted and recorded, with one look at what it is and one reading of the clock. */

import type { StepObserver } from '../../sim/scheduler.js';
import type { StepId } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';
import type { ActorObserver } from '../actorObserver.js';
import { OTHER_STEP, stepNumber } from '../stepCatalog.js';
import { tracedWords } from './tracedSteps.js';
import type { TraceRecorder } from './traceRecorder.js';

export class TracedObserver implements StepObserver {
  constructor(
    private readonly observer: ActorObserver,
    private readonly recorder: TraceRecorder,
  ) {}

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    const number = stepNumber(step);
    if (tracedWords[number] === 0) {
      this.observer.count(task, number, a, b, c, d);
      if (number === OTHER_STEP) this.recorder.recordOwn(task, step, a, b, c, d);
    } else {
      const timeNs = this.recorder.record(task, number, a, b, c, d);
      this.observer.countAt(timeNs, task, number, a, b, c, d);
    }
  }
}
