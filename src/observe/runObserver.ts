/** Under the virtual executor one scheduler serves all actors: hands each step to the observer of the actor that takes it. */

import { assert } from '../base/assert.js';
import type { StepObserver } from '../sim/scheduler.js';
import type { StepId } from '../sim/steps.js';
import type { Task } from '../sim/task.js';
import { ActorObserver, type Clock, type ObserverBuffers, StepOrder } from './actorObserver.js';

export class RunObserver implements StepObserver {
  /** By actor. */
  readonly observers: readonly ActorObserver[];

  constructor(
    buffers: ObserverBuffers,
    clock: Clock,
    /** Whose step one outside any task is. */
    private readonly defaultActor = 0,
  ) {
    assert(defaultActor >= 0 && defaultActor < buffers.actorCount, 'the default actor does not exist');
    const order = new StepOrder();
    this.observers = Array.from(
      { length: buffers.actorCount },
      (_, actor) => new ActorObserver(buffers, actor, clock, 0, order),
    );
  }

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    this.observers[task === null ? this.defaultActor : task.actor].onStep(task, step, a, b, c, d);
  }
}
