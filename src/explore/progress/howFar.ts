/** How far each task is within one operation: a long one passes the same step again and again, with other pages each time, and gets on. */

import { type StepField, type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';

const PRIME = 0x01000193;

/** What says which part of its work a task is at. Other arguments are frames, any of which will do, and numbers that only grow. */
const PLACES: ReadonlySet<StepField> = new Set(['vpn', 'npages', 'count']);

export class HowFar {
  private readonly words = new WeakMap<Task, number>();

  onStep(task: Task, step: StepId, a: number, b: number): void {
    const { fields } = stepDefinition(step);
    const first = PLACES.has(fields[0]) ? a % 2 ** 31 : 0;
    const second = PLACES.has(fields[1]) ? b % 2 ** 31 : 0;
    this.words.set(task, Math.imul(first, PRIME) ^ second);
  }

  /** A number that is the same where the task's last step was told of the same part of its work. */
  of(task: Task): number {
    return this.words.get(task) ?? 0;
  }
}
