/** Sleeping tasks ordered by wake-up time, first come first served among equal times. */

import { assert } from '../base/assert.js';
import type { Task } from './task.js';

export class TimerHeap {
  private readonly times: number[] = [];
  private readonly orders: number[] = [];
  private readonly tasks: Task[] = [];
  private nextOrder = 0;

  get size(): number {
    return this.tasks.length;
  }

  /** Time of the earliest entry; Infinity when there is none. */
  get earliest(): number {
    return this.times.length === 0 ? Number.POSITIVE_INFINITY : this.times[0];
  }

  push(time: number, task: Task): void {
    this.times.push(time);
    this.orders.push(this.nextOrder++);
    this.tasks.push(task);
    this.siftUp(this.tasks.length - 1);
  }

  /** Removes and returns the earliest task; there must be one. */
  pop(): Task {
    const task = this.tasks[0];
    const last = this.tasks.length - 1;
    this.swap(0, last);
    this.times.pop();
    this.orders.pop();
    this.tasks.pop();
    this.siftDown(0);
    return task;
  }

  /** Gives a task that is in the heap another time; among equal times it then comes last. */
  move(time: number, task: Task): void {
    const at = this.tasks.indexOf(task);
    assert(at >= 0, () => `${task.name} is not asleep`);
    this.times[at] = time;
    this.orders[at] = this.nextOrder++;
    // If it goes up, what comes down in its place is no later than what is below.
    this.siftUp(at);
    this.siftDown(at);
  }

  private siftUp(from: number): void {
    let child = from;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.isBefore(child, parent)) return;
      this.swap(child, parent);
      child = parent;
    }
  }

  private siftDown(from: number): void {
    let parent = from;
    for (;;) {
      let first = parent;
      const left = 2 * parent + 1;
      if (left < this.tasks.length && this.isBefore(left, first)) first = left;
      if (left + 1 < this.tasks.length && this.isBefore(left + 1, first)) first = left + 1;
      if (first === parent) return;
      this.swap(parent, first);
      parent = first;
    }
  }

  private isBefore(a: number, b: number): boolean {
    return (
      this.times[a] < this.times[b] || (this.times[a] === this.times[b] && this.orders[a] < this.orders[b])
    );
  }

  private swap(a: number, b: number): void {
    const time = this.times[a];
    const order = this.orders[a];
    const task = this.tasks[a];
    this.times[a] = this.times[b];
    this.orders[a] = this.orders[b];
    this.tasks[a] = this.tasks[b];
    this.times[b] = time;
    this.orders[b] = order;
    this.tasks[b] = task;
  }
}
