/** The tasks that live, oldest first: linked by themselves, since the engine's sets leave a trail of old tables that keeps the dead from being collected. */

import { assert } from '../base/assert.js';
import type { Task } from './task.js';

export class TaskList implements Iterable<Task> {
  private oldest: Task | null = null;
  private youngest: Task | null = null;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Not in any list so far. */
  add(task: Task): void {
    assert(task.older === null && task.younger === null, () => `${task.name} is in a list`);
    task.older = this.youngest;
    if (this.youngest === null) this.oldest = task;
    else this.youngest.younger = task;
    this.youngest = task;
    this.count++;
  }

  /** It leads to no other task afterwards: a dead one that somebody still knows keeps no others. */
  delete(task: Task): void {
    const { older, younger } = task;
    if (older === null) this.oldest = younger;
    else older.younger = younger;
    if (younger === null) this.youngest = older;
    else younger.older = older;
    task.older = null;
    task.younger = null;
    this.count--;
  }

  /** Those that live when each is come to; the list must not lose the one that is looked at. */
  *[Symbol.iterator](): Iterator<Task> {
    for (let task = this.oldest; task !== null; task = task.younger) yield task;
  }
}
