/** How far each task is within one operation: a long one passes the same step again and again, with other pages each time, and gets on. */

import { type StepField, type StepId, stepDefinition } from '../../sim/steps.js';
import type { Task } from '../../sim/task.js';

const PRIME = 0x01000193;

/** What else says how far a task is. Other arguments are frames, any of which will do, and numbers that only grow. */
const AMOUNTS: ReadonlySet<StepField> = new Set(['npages', 'count']);

/** The page that a task was last told to be at, and how much of something its last step was about. */
interface Place {
  page: number;
  amount: number;
}

export class HowFar {
  private readonly places = new WeakMap<Task, Place>();

  /** Many steps name no page: a loop over parts of an address space is still where it was. */
  onStep(task: Task, step: StepId, a: number, b: number): void {
    const { fields } = stepDefinition(step);
    const place = this.placeOf(task);
    if (fields[0] === 'vpn') place.page = a % 2 ** 31;
    if (fields[1] === 'vpn' || fields[1] === 'gpuVpn') place.page = b % 2 ** 31;
    const first = AMOUNTS.has(fields[0]) ? a : 0;
    place.amount = Math.imul(first, PRIME) ^ (AMOUNTS.has(fields[1]) ? b : 0);
  }

  /** A number that is the same where the task is at the same part of its work. */
  of(task: Task): number {
    const place = this.places.get(task);
    return place === undefined ? 0 : Math.imul(place.page, PRIME) ^ place.amount;
  }

  private placeOf(task: Task): Place {
    let place = this.places.get(task);
    if (place === undefined) {
      place = { page: 0, amount: 0 };
      this.places.set(task, place);
    }
    return place;
  }
}
