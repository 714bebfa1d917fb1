/** What tests of the simulator's core share: an executor, tasks that write down what happens, and a way to run them. */

import { assert } from '../../src/base/assert.js';
import { defineStep, STEP, type StepId, type Steps } from '../../src/sim/steps.js';
import { actorId, type Task } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';

export const TestStep = {
  a: defineStep('test.a', 'id', 'count'),
  b: defineStep('test.b'),
} as const;

export class Bench {
  readonly sched: VirtualExecutor;
  /** What the tasks of a test wrote down. */
  readonly log: string[] = [];

  constructor(seed = 1) {
    this.sched = new VirtualExecutor(new RandomStrategy(seed));
  }

  spawn(name: string, body: Steps<unknown>, daemon = false): Task {
    return this.sched.spawn(actorId(0), name, body, daemon);
  }

  /** Runs until nothing can go on; rethrows what a task threw. */
  settle(): void {
    this.sched.run();
    if (this.sched.failure !== null) throw this.sched.failure.cause;
  }

  /** Runs tasks to their ends. */
  run(...bodies: Steps<unknown>[]): void {
    for (const [i, body] of bodies.entries()) this.spawn(`t${i}`, body);
    this.settle();
    const stuck = this.sched.stuckTasks().map(({ name }) => name);
    assert(stuck.length === 0, () => `stuck: ${stuck.join(' ')}`);
  }

  /** A task that takes `count` steps, so that others may run between them. */
  *steps(count: number, step: StepId = TestStep.a): Steps<void> {
    for (let i = 0; i < count; i++) if (this.sched.reach(step, i)) yield STEP;
  }

  /** Starts after `ns`, so that tests can say who comes first. */
  *after(ns: number, body: Steps<unknown>): Steps<void> {
    yield* this.sched.sleep(ns);
    yield* body;
  }

  say(what: string): void {
    this.log.push(what);
  }
}
