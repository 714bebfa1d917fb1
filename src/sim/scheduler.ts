/** What protocol code needs of an executor: the current task, waking, named steps, time and random numbers. */

import { assert } from '../base/assert.js';
import { userPlace } from '../base/userPlace.js';
import { BothObservers } from './bothObservers.js';
import { LockMap } from './lockMap.js';
import { type LockClass, LockOrder } from './lockOrder.js';
import { PARK, type StepId, type Steps, stepDefinition } from './steps.js';
import { type ActorId, Task, type Waitable } from './task.js';
import { TaskList } from './taskList.js';
import { drawNs, type TimeCost } from './timeCost.js';

/** Sees each named step, in order, on the thread that takes it. It must not change protocol state. */
export interface StepObserver {
  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void;
}

/** Sees each task that begins or ends to wait. It must not change protocol state. */
export interface WaitObserver {
  /** `reason` says in words what for, and who stands in the way. */
  onBlock(task: Task, reason: Waitable): void;
  onWake(task: Task): void;
  /** A task has begun; of a request, within the step at which the request was delivered. */
  onSpawn(task: Task): void;
}

class TimeWait implements Waitable {
  describeWait(): string {
    return 'time';
  }
  holders(): readonly Task[] {
    return [];
  }
}

const timeWait = new TimeWait();

/** Raised out of the executor when a task ends by an exception; says which task, where it was, and where in code of the user's own. */
export class TaskFailure extends Error {
  /** By it a failure that has come from another thread is told from one of the simulator itself. */
  override readonly name: 'TaskFailure' | 'InternalFailure';
  /** `task, after step x, at my-driver.mjs:12`. */
  readonly where: string;

  constructor(
    readonly task: Task,
    override readonly cause: Error,
  ) {
    const after = `after step ${stepDefinition(task.lastStep).name}`;
    const place = userPlace(cause, isResume);
    const points = place === null ? after : `${after}, at ${place}`;
    super(`${task.name} (${points}): ${cause.message}`, { cause });
    this.name = place === null && isOfEngine(cause) ? 'InternalFailure' : 'TaskFailure';
    this.where = `${task.name}, ${points}`;
  }
}

/** No rule of the simulated system says so, and no code of the user's: the simulator has done what cannot be done. */
function isOfEngine(error: Error): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}

/** Where a task was let run: below it stand the executor and whoever drives it. */
function isResume(frame: string): boolean {
  return /\.resume \(.*\/sim\/scheduler\.[jt]s/.test(frame);
}

/** Runs tasks; each executor is one. */
export abstract class Scheduler {
  /** The task whose code runs now; null between tasks. */
  current: Task | null = null;
  observer: StepObserver | null = null;
  waitObserver: WaitObserver | null = null;
  readonly lockOrder = new LockOrder();
  private nextTaskId = 1;
  /** Live tasks, for reports and for the end of a run. */
  readonly tasks = new TaskList();

  /** Stretches in which one task runs, and neither waits nor lets others run, so far; counted where the wall clock is the clock. */
  slice = 0;

  /** Nanoseconds since the start of the run: simulated under `virtual`, wall under `threads`. */
  abstract now(): number;
  /** A random number that is part of the schedule, so that a replay repeats it. */
  abstract randomU32(): number;
  protected abstract makeRunnable(task: Task): void;
  /** Arranges for `wake(task)` at `now() + ns`. */
  protected abstract wakeAfter(task: Task, ns: number): void;
  /** Whether modelled time passes by waiting: true under `virtual`, false where the wall clock is the clock. */
  abstract readonly modelsTime: boolean;

  /** Beside those that look on already. */
  addObserver(observer: StepObserver): void {
    this.observer = this.observer === null ? observer : new BothObservers(this.observer, observer);
  }

  /** Starts a task of `actor`; it runs when the executor picks it, never inside this call. */
  spawn(actor: ActorId, name: string, body: Steps<unknown>, daemon = false): Task {
    const task = new Task(this.nextTaskId++, actor, name, body, daemon);
    this.tasks.add(task);
    if (this.waitObserver !== null) this.waitObserver.onSpawn(task);
    this.makeRunnable(task);
    return task;
  }

  /** Starts a daemon that is there as long as its actor is; `begin` makes its work, also when a run is taken back to its beginning. */
  spawnServant(actor: ActorId, name: string, begin: () => Steps<unknown>): Task {
    const task = this.spawn(actor, name, begin(), true);
    task.beginAgain = begin;
    return task;
  }

  /** From now on the current task only waits for others and holds nothing: it may be blocked at the end of a run. */
  becomeRelay(): void {
    this.self.daemon = true;
  }

  /** Tasks so far; their numbers count from 1. */
  get tasksStarted(): number {
    return this.nextTaskId - 1;
  }

  /** The current task, for code that can only run inside one. */
  get self(): Task {
    assert(this.current !== null, 'only a task can do this');
    return this.current;
  }

  /**
   * The current task is about to take or wait for something of this class, or could be: whatever it holds or is inside of comes before it in the
   * order of locks. Outside of tasks there is nothing to wait for. @kernel might_lock, lock_map_acquire
   */
  order(next: LockClass): void {
    const task = this.current;
    if (task === null) return;
    const { held } = task;
    for (let i = 0; i < held.length; i++) this.lockOrder.acquire(held[i].lockClass, next);
    if (task.maps !== 0) this.orderMaps(task.maps, next);
  }

  /** The part of {@link order} for what a task is inside of. */
  orderMaps(maps: number, next: LockClass): void {
    for (let left = maps; left !== 0; left &= left - 1)
      this.lockOrder.acquire(LockMap.lowest(left).lockClass, next);
  }

  /** From now on others may wait for what the current task does. */
  enter({ bit, lockClass }: LockMap): void {
    this.order(lockClass);
    this.self.maps |= bit;
  }

  leave({ bit, lockClass }: LockMap): void {
    const task = this.self;
    assert((task.maps & bit) !== 0, () => `${task.name} is not inside ${lockClass.name}`);
    task.maps &= ~bit;
  }

  /** Marks a named step inside an atomic section: observers see it with its arguments. */
  at(step: StepId, a = 0, b = 0, c = 0, d = 0): void {
    const task = this.current;
    if (task !== null) task.lastStep = step;
    if (this.observer !== null) this.observer.onStep(task, step, a, b, c, d);
  }

  /**
   * Marks a named step at which others may run: `if (sched.reach(Step.x, ...)) yield STEP`. False where this executor sees no reason to stop
   * here, which spares the way through all generators of the task and back.
   */
  reach(step: StepId, a = 0, b = 0, c = 0, d = 0): boolean {
    this.at(step, a, b, c, d);
    return this.stopsHere();
  }

  /** Whether the current task should yield at the step that it has reached. */
  abstract stopsHere(): boolean;

  /** Blocks the current task until `wake`. The caller has put the task where its waker will find it. */
  *park(reason: Waitable): Steps<void> {
    this.block(reason);
    yield PARK;
  }

  /** The first half of {@link park}, for callers that yield PARK themselves to save a nested generator. */
  block(reason: Waitable): void {
    const task = this.self;
    task.waitingFor = reason;
    task.state = 'blocked';
    if (this.waitObserver !== null) this.waitObserver.onBlock(task, reason);
  }

  /** Makes a blocked task runnable. Waking a task that is not blocked is a bug in the waker. */
  wake(task: Task): void {
    assert(task.state === 'blocked', () => `wake of ${task.name}, which is ${task.state}`);
    task.waitingFor = null;
    if (this.waitObserver !== null) this.waitObserver.onWake(task);
    this.makeRunnable(task);
  }

  /** Waits `ns` nanoseconds of this executor's clock. */
  *sleep(ns: number): Steps<void> {
    this.wakeAfter(this.self, ns);
    this.block(timeWait);
    yield PARK;
  }

  /** Accounts for modelled work: it passes as simulated time, and costs nothing where the wall clock measures the work itself. */
  *spend(cost: TimeCost): Steps<void> {
    if (!this.modelsTime) return;
    const ns = this.drawn(cost) + this.takeOwed();
    if (ns > 0) yield* this.sleep(ns);
  }

  /**
   * Accounts for modelled work inside an atomic section, which cannot wait: it passes when the current task next comes to a step, or at
   * {@link spend} or {@link settle}; where it is parked first, after that. Of what is owed when more comes the larger counts: it is the same work for all.
   */
  owe(cost: TimeCost): void {
    if (!this.modelsTime || this.current === null) return;
    this.current.owedNs = Math.max(this.current.owedNs, this.drawn(cost));
  }

  /** What the current task owes passes now. */
  *settle(): Steps<void> {
    const ns = this.takeOwed();
    if (ns > 0) yield* this.sleep(ns);
  }

  private drawn(cost: TimeCost): number {
    return typeof cost === 'number' ? cost : drawNs(cost, () => this.randomU32());
  }

  private takeOwed(): number {
    const { current } = this;
    if (current === null) return 0;
    const ns = current.owedNs;
    current.owedNs = 0;
    return ns;
  }

  /** Moves the end of a task's {@link sleep} to `now() + ns`. */
  abstract moveWake(task: Task, ns: number): void;

  /** Runs `task` to its next yield; afterwards `task.state` says whether it can go on. */
  protected resume(task: Task): void {
    this.current = task;
    task.state = 'running';
    try {
      const { done, value } = task.body.next();
      if (!done && value !== PARK) this.goOnLater(task);
      this.current = null;
      if (done) this.finish(task, null);
    } catch (error) {
      this.current = null;
      this.finish(task, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The current task has come to a step where others may run. */
  private goOnLater(task: Task): void {
    if (task.owedNs === 0) {
      task.state = 'runnable';
      return;
    }
    this.wakeAfter(task, this.takeOwed());
    this.block(timeWait);
  }

  private finish(task: Task, error: Error | null): void {
    task.state = 'done';
    this.tasks.delete(task);
    let failure = error;
    if (failure === null && task.held.length > 0) {
      failure = new Error(`ended while it holds ${task.held.map((held) => held.lock.name).join(', ')}`);
    }
    if (failure !== null) {
      const wrapped = failure instanceof TaskFailure ? failure : new TaskFailure(task, failure);
      if (task.onDone !== null) task.onDone(wrapped);
      this.onTaskFailure(wrapped);
    } else if (task.onDone !== null) {
      task.onDone(null);
    }
  }

  /** A failed task ends the run: nothing after it can be trusted. */
  protected abstract onTaskFailure(failure: TaskFailure): void;
}
