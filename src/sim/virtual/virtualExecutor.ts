/** Runs all actors on one thread with a simulated clock: a strategy picks each step, so one seed gives one run. */

import { assert } from '../../base/assert.js';
import type { Port } from '../port.js';
import { Scheduler, type TaskFailure } from '../scheduler.js';
import { PARK, PUMP, STEP, type Steps } from '../steps.js';
import type { Strategy } from '../strategy.js';
import type { Task } from '../task.js';
import { TimerHeap } from '../timerHeap.js';
import { WaitQueue } from '../waitQueue.js';

/** Why {@link VirtualExecutor.run} came back. */
export type RunEnd = 'stopped' | 'idle' | 'failed' | 'out-of-steps';

/** Steps at one moment of the simulated clock after which it goes on to whoever sleeps; the default scenario never gets there, with 16 devices neither. */
const STILL_STEPS_MAX = 10_000;

export class VirtualExecutor extends Scheduler {
  readonly modelsTime = true;
  /** Steps taken so far. */
  steps = 0;
  failure: TaskFailure | null = null;
  /**
   * Simulated time of each step. With 0 time passes only when nothing else can run: enough where steps cost what they are modelled to cost, but
   * where they cost nothing a task that is always busy would keep all who sleep from ever waking.
   */
  stepNs = 0;
  /** Steps by which the clock moves, though somebody can run. */
  private stillUntil = STILL_STEPS_MAX;
  private timeNs = 0;
  private readonly runnable: Task[] = [];
  private readonly timers = new TimerHeap();
  private last: Task | null = null;
  /** Where pumps wait: known here, so that all state of a run can be found from its executor. */
  private readonly mails: WaitQueue[] = [];

  constructor(private strategy: Strategy) {
    super();
  }

  /** A new run, with another strategy: everything but the work of the servants has been put back to where it was before the first step. */
  beginAgain(strategy: Strategy): void {
    this.strategy = strategy;
    for (const task of this.tasks) {
      assert(task.beginAgain !== null, () => `${task.name} cannot begin again`);
      task.body = task.beginAgain();
    }
  }

  /** Whether all that was started so far can be begun again. */
  get canBeginAgain(): boolean {
    return this.steps === 0 && [...this.tasks].every((task) => task.beginAgain !== null);
  }

  now(): number {
    return this.timeNs;
  }

  /** Time stands still within a step, so it is as if just read. */
  get readNs(): number {
    return this.timeNs;
  }

  randomU32(): number {
    return this.strategy.nextU32();
  }

  /**
   * Runs until `shouldStop` says so between two steps, until nothing can run any more (`idle`: all done or all blocked), until a task
   * fails, or for `stepsMax` steps.
   */
  run(shouldStop: () => boolean = () => false, stepsMax = Number.POSITIVE_INFINITY): RunEnd {
    const stepsEnd = this.steps + stepsMax;
    while (this.failure === null) {
      if (shouldStop()) return 'stopped';
      if (this.steps >= stepsEnd) return 'out-of-steps';
      const isIdle = this.runnable.length === 0;
      if ((isIdle || this.hasStoodStill()) && !this.advanceClock() && isIdle) return 'idle';
      this.step();
    }
    return 'failed';
  }

  /** Tasks that are blocked and are not daemons: at `idle`, a non-empty list is a deadlock. */
  stuckTasks(): Task[] {
    return [...this.tasks].filter((task) => !task.daemon && task.state === 'blocked');
  }

  /**
   * Starts the pump of a port: delivery of its next message is then a choice of the strategy, like any other step. Returns what the sender
   * must call after each send.
   */
  pump(port: Port, name: string): () => void {
    const mail = new WaitQueue(this, `messages from ${name}`);
    this.mails.push(mail);
    const task = this.spawnServant(port.owner, `pump:${name}`, () => this.pumpMessages(port, mail));
    task.pumpsFrom = port.peer;
    const wake = (): void => mail.wakeAll();
    // What the owner could not send goes out through the same task, though its peer may never answer.
    port.onHeldBack = wake;
    return wake;
  }

  private *pumpMessages(port: Port, mail: WaitQueue): Steps<void> {
    for (;;) {
      while (!port.hasIncoming && !port.hasBacklog) {
        mail.beginWait();
        yield PARK;
      }
      port.drain(1);
      this.at(PUMP);
      // After the last message the wait is where others go on.
      if (port.hasIncoming || port.hasBacklog) yield STEP;
    }
  }

  /** Every step is a choice of the strategy. */
  stopsHere(): boolean {
    return true;
  }

  protected makeRunnable(task: Task): void {
    task.state = 'runnable';
    if (task.runnableIndex >= 0) {
      // Woken between its block and its yield: it has not left the set yet.
      assert(task === this.last, () => `${task.name} is runnable twice`);
      return;
    }
    task.runnableIndex = this.runnable.length;
    this.runnable.push(task);
  }

  protected wakeAfter(task: Task, ns: number): void {
    this.timers.push(this.timeNs + ns, task);
  }

  moveWake(task: Task, ns: number): void {
    this.timers.move(this.timeNs + ns, task);
  }

  protected onTaskFailure(failure: TaskFailure): void {
    this.failure ??= failure;
  }

  private step(): void {
    const index = this.strategy.nextTask(this.runnable, this.last);
    const task = this.runnable[index];
    assert(task !== undefined, () => `${this.strategy.name} chose task ${index} of ${this.runnable.length}`);
    this.steps++;
    this.last = task;
    // The task stays in the set while it runs: most steps end runnable, and then nothing needs to move.
    this.resume(task);
    if (task.state !== 'runnable') this.removeRunnable(task);
    if (this.stepNs > 0) this.passTime();
  }

  private passTime(): void {
    this.timeNs += this.stepNs;
    while (this.timers.earliest <= this.timeNs) this.wake(this.timers.pop());
  }

  private removeRunnable(task: Task): void {
    const lastTask = this.runnable[this.runnable.length - 1];
    this.runnable[task.runnableIndex] = lastTask;
    lastTask.runnableIndex = task.runnableIndex;
    this.runnable.pop();
    task.runnableIndex = -1;
  }

  /** Who polls for what somebody does who sleeps would keep the clock from going on. Where each step takes time nothing does. */
  private hasStoodStill(): boolean {
    return this.stepNs === 0 && this.steps >= this.stillUntil;
  }

  /** Moves time to the next timer, waking all that are due; false when there is none. */
  private advanceClock(): boolean {
    this.stillUntil = this.steps + STILL_STEPS_MAX;
    if (this.timers.size === 0) return false;
    this.timeNs = this.timers.earliest;
    while (this.timers.earliest <= this.timeNs) this.wake(this.timers.pop());
    return true;
  }
}
