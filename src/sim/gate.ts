/** A gate that workload tasks pass between two operations, so that a run can be paused where nothing is half done. */

import { assert } from '../base/assert.js';
import type { Scheduler } from './scheduler.js';
import type { Steps } from './steps.js';
import { WaitQueue } from './waitQueue.js';

export class Gate {
  /** Set once when the run should end: open-ended work does so at its next operation. */
  ending = false;
  private closed = false;
  private members = 0;
  /** Of the members: those that have come to the gate since the last step. */
  private parked = 0;
  /** A step lets all pass that came before it, each once, though the gate is closed. */
  private steps = 0;
  private readonly queue: WaitQueue;
  private onAllParked: (() => void) | null = null;

  constructor(sched: Scheduler, name: string) {
    this.queue = new WaitQueue(sched, name);
  }

  /** A task that will pass the gate again and again joins first, and leaves when it ends. */
  join(): void {
    this.members++;
  }

  leave(): void {
    assert(this.members > 0, 'gate: leave without join');
    this.members--;
    this.reportIfParked();
  }

  /** Joins again after a stretch outside, and waits if the gate has closed meanwhile. */
  *rejoin(): Steps<void> {
    this.join();
    yield* this.pass();
  }

  /** True when {@link pass} would block; lets a hot loop skip the nested generator. */
  get isClosed(): boolean {
    return this.closed;
  }

  *pass(): Steps<void> {
    if (!this.closed) return;
    const cameAt = this.steps;
    this.parked++;
    this.reportIfParked();
    // The report may have opened the gate already; nobody would wake us then.
    while (this.closed && this.steps === cameAt) yield* this.queue.wait();
    if (this.steps === cameAt) this.parked--;
  }

  /** Closes the gate; `whenParked` runs once all members wait at it (at once if there are none). */
  close(whenParked: () => void): void {
    assert(this.onAllParked === null, 'gate: closed twice');
    this.closed = true;
    this.onAllParked = whenParked;
    this.reportIfParked();
  }

  /** Lets one operation go on of each member that waits at the closed gate; `whenParked` runs once all have come back to it. */
  step(whenParked: () => void): void {
    assert(this.closed && this.onAllParked === null, 'gate: a step while it is open, or under way');
    this.steps++;
    this.parked = 0;
    this.onAllParked = whenParked;
    this.queue.wakeAll();
    this.reportIfParked();
  }

  open(): void {
    this.closed = false;
    this.onAllParked = null;
    this.queue.wakeAll();
  }

  private reportIfParked(): void {
    if (!this.closed || this.parked < this.members || this.onAllParked === null) return;
    const report = this.onAllParked;
    this.onAllParked = null;
    report();
  }
}
