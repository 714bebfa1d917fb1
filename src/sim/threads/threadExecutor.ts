/** Runs one actor in its worker thread: drains mailboxes in batches, runs tasks first come first served, spins briefly, then sleeps. */

import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { assert } from '../../base/assert.js';
import type { Port } from '../port.js';
import { Random } from '../random.js';
import { Scheduler, type TaskFailure } from '../scheduler.js';
import type { Task } from '../task.js';
import { TimerHeap } from '../timerHeap.js';
import type { Doorbell } from './doorbell.js';
import { LookingHabit } from './lookingHabit.js';

/** A mailbox with the doorbell of the actor at its other end. */
export interface Link {
  readonly port: Port;
  readonly peerDoorbell: Doorbell;
}

/** Messages taken from one ring before tasks run again. */
const DRAIN_BATCH = 64;
/** Named steps one task takes before others run. Mailboxes are looked at between any two of them. */
const STEPS_PER_SLICE = 128;
/** Tasks run between two readings of the clock, unless one of them has used up its slice. */
const TASKS_PER_CLOCK = 8;
/** Tasks run between two looks at the mailboxes. */
const TASKS_PER_TURN = 64;
/**
 * How long an actor looks at its doorbell before it sleeps, in milliseconds. Sleeping costs a system call on either side, tens of
 * microseconds each, so it pays to look for as long as a peer usually needs. It does so only while there is a core for every actor that
 * is awake, and not where {@link LookingHabit} has learned that it does not help.
 */
const SPIN_MAX_MS = 0.5;
/** Looks at the doorbell between two looks at the clock. */
const LOOKS_PER_CLOCK = 8;
/** Dependent square roots between two looks: half a microsecond or so. */
const PAUSE_ROOTS = 32;
/**
 * How long the hub, to which all others talk, goes on looking though there are fewer cores than actors awake: of those that wait one at least must
 * not sleep, or each message costs a waking up on either side.
 */
const HUB_PATIENCE_MS = 0.1;
/**
 * How long a sleeper whose mailbox has something may be left asleep while there is no core for him anyway. Waking one costs tens of microseconds, and
 * by the time that this actor has nothing to do any more there is often more for the same one.
 */
const WAKE_DELAY_MS = 0.2;
/** How long an actor sleeps that has more to send than a ring has room for: nobody rings for room. */
const HELD_BACK_MS = 0.1;
/** Longest busy stretch without serving the control plane, and longest sleep where somebody has rung since the last one. */
const CONTROL_SLICE_MS = 5;
/** Each further sleep in which nobody rings is twice as long, up to this. */
const SLEEP_MAX_MS = 20;

/** A third cheaper than the call as a method, which matters where every part of every migration is timed. */
const nowMs = performance.now.bind(performance);

export class ThreadExecutor extends Scheduler {
  readonly modelsTime = false;
  failure: TaskFailure | null = null;
  private readonly links: Link[] = [];
  /** Sent to since its doorbell was rung last. */
  private readonly unrung: Link[] = [];
  /** Sent to, but left asleep for the moment; the first of them since `leftAsleepMs`. */
  private readonly leftAsleep: Doorbell[] = [];
  private leftAsleepMs = 0;
  private readonly habit = new LookingHabit();
  private readonly cores = availableParallelism();
  private readonly random: Random;
  private readonly startMs = performance.now();
  /** What {@link now} said last. */
  readNs = 0;
  private readonly timers = new TimerHeap();
  private queue: Task[] = [];
  private queueHead = 0;
  private stopping = false;
  /** Since the mailboxes were looked at last. */
  private hasSlept = false;
  /** Of the slice of the task that runs. */
  private stepsLeft = 0;
  /** The doorbell's count when the mailboxes were looked at last. */
  private seen = 0;
  /** What went wrong in a delivery in the middle of a task, which is not to blame. */
  private deliveryError: unknown = null;
  /** Kept, so that the pauses cannot be optimised away. */
  private pauseState = 1;
  private doorbell: Doorbell | null = null;
  private patienceMs = 0;
  private sleepMs = CONTROL_SLICE_MS;
  private controlDueMs = 0;

  constructor(seed: number) {
    super();
    this.random = new Random(seed);
  }

  /** What wakes this actor; before {@link run}. */
  attach(doorbell: Doorbell, isHub = false): void {
    this.doorbell = doorbell;
    this.patienceMs = isHub ? HUB_PATIENCE_MS : 0;
  }

  now(): number {
    this.readNs = (nowMs() - this.startMs) * 1e6;
    return this.readNs;
  }

  randomU32(): number {
    return this.random.u32();
  }

  addLink(link: Link): void {
    this.links.push(link);
    const { port, peerDoorbell } = link;
    port.onSend = (mustWake) => this.noteSent(link, mustWake);
    port.peerSleeps = () => {
      const { isOwnerAsleep } = peerDoorbell;
      // It may have fallen asleep just before the message came, and be asleep when its doorbell is rung.
      if (!isOwnerAsleep) this.noteSent(link, true);
      return isOwnerAsleep;
    };
  }

  /** Makes {@link run} return after the current slice. */
  stop(): void {
    this.stopping = true;
  }

  /** Runs until {@link stop} or until a task fails; in the latter case it rejects with the failure. */
  async run(): Promise<void> {
    const { doorbell } = this;
    assert(doorbell !== null, 'an executor runs with a doorbell');
    doorbell.join();
    try {
      await this.runUntilStopped(doorbell);
    } finally {
      this.wakeLeftAsleep();
      doorbell.leave();
    }
  }

  private async runUntilStopped(doorbell: Doorbell): Promise<void> {
    this.controlDueMs = nowMs() + CONTROL_SLICE_MS;
    while (!this.stopping) {
      const seen = doorbell.count();
      this.seen = seen;
      const progressed = this.turn();
      if (this.deliveryError !== null) throw this.deliveryError;
      if (this.failure !== null) throw this.failure;
      if (nowMs() >= this.controlDueMs) {
        this.wakeLeftAsleep();
        await setImmediate();
        this.controlDueMs = nowMs() + CONTROL_SLICE_MS;
      } else if (!progressed) {
        this.idle(
          doorbell,
          seen,
          Math.min(this.msToNextTimer(), this.isHeldBack ? HELD_BACK_MS : Number.POSITIVE_INFINITY),
        );
      }
    }
  }

  /**
   * A task goes on until it must wait, or until its slice is used up. Messages are sent on and delivered here all the same: a peer that waits
   * for an answer, perhaps with a lock held, would otherwise wait for whatever is queued here. The way out of the task and back would cost more.
   */
  stopsHere(): boolean {
    if (this.unrung.length > 0 || this.leftAsleep.length > 0) this.ringDoorbells();
    this.lookForMail();
    this.stepsLeft--;
    return this.stepsLeft <= 0;
  }

  private lookForMail(): void {
    const { doorbell } = this;
    if (doorbell !== null && doorbell.peek() !== this.seen) this.deliverNow(doorbell);
  }

  /** Answers are given outside any task, as between two of them. */
  private deliverNow(doorbell: Doorbell): void {
    const task = this.current;
    this.current = null;
    this.seen = doorbell.count();
    try {
      for (const link of this.links) link.port.drain(DRAIN_BATCH);
    } catch (error) {
      this.deliveryError = error;
      this.stepsLeft = 0;
    }
    this.current = task;
    this.ringDoorbells();
  }

  protected makeRunnable(task: Task): void {
    task.state = 'runnable';
    this.queue.push(task);
  }

  protected wakeAfter(task: Task, ns: number): void {
    this.timers.push(this.now() + ns, task);
  }

  moveWake(task: Task, ns: number): void {
    this.timers.move(this.now() + ns, task);
  }

  protected onTaskFailure(failure: TaskFailure): void {
    this.failure ??= failure;
  }

  /** One round over mailboxes, timers and runnable tasks; false when there was nothing to do. */
  private turn(): boolean {
    let work = 0;
    // Who has sent something to a sleeper need not have waited for an answer.
    const batch = this.hasSlept ? Number.POSITIVE_INFINITY : DRAIN_BATCH;
    this.hasSlept = false;
    for (const link of this.links) work += link.port.drain(batch);
    this.ringDoorbells();
    work += this.wakeDueTimers();
    work += this.runTasks();
    return work > 0;
  }

  private wakeDueTimers(): number {
    if (this.timers.size === 0) return 0;
    const now = this.now();
    let woken = 0;
    while (this.timers.earliest <= now) {
      this.wake(this.timers.pop());
      woken++;
    }
    return woken;
  }

  private runTasks(): number {
    let ran = 0;
    while (ran < TASKS_PER_TURN && this.queueHead < this.queue.length && !this.hasFailed) {
      const task = this.queue[this.queueHead++];
      this.runSlice(task);
      // At once: the peer can work while this actor goes on.
      this.ringDoorbells();
      this.lookForMail();
      ran++;
      // Reading the clock after each short task would be felt.
      const mayBeLong = this.stepsLeft <= 0 || ran % TASKS_PER_CLOCK === 0;
      if (mayBeLong && nowMs() >= this.controlDueMs) break;
    }
    if (this.queueHead === this.queue.length) {
      this.queue.length = 0;
      this.queueHead = 0;
    } else if (this.queueHead > 4096) {
      this.queue = this.queue.slice(this.queueHead);
      this.queueHead = 0;
    }
    return ran;
  }

  private get hasFailed(): boolean {
    return this.failure !== null || this.deliveryError !== null;
  }

  private noteSent(link: Link, mustWake: boolean): void {
    const { port, peerDoorbell } = link;
    // He looks into his mailbox when he wakes, rung for or not.
    if (!mustWake && peerDoorbell.isOwnerAsleep) return;
    port.urgent ||= mustWake;
    if (port.dirty) return;
    port.dirty = true;
    this.unrung.push(link);
  }

  private ringDoorbells(): void {
    for (let link = this.unrung.pop(); link !== undefined; link = this.unrung.pop()) {
      const { port, peerDoorbell } = link;
      if (peerDoorbell.knock() && port.urgent) this.leaveAsleep(peerDoorbell);
      port.dirty = false;
      port.urgent = false;
    }
    if (this.leftAsleep.length > 0 && this.mustWakeNow()) this.wakeLeftAsleep();
  }

  private leaveAsleep(doorbell: Doorbell): void {
    if (this.leftAsleep.length === 0) this.leftAsleepMs = nowMs();
    if (!this.leftAsleep.includes(doorbell)) this.leftAsleep.push(doorbell);
  }

  /** There is a core for one more, or somebody has waited long enough. */
  private mustWakeNow(): boolean {
    const { doorbell } = this;
    return doorbell === null || doorbell.awake < this.cores || nowMs() - this.leftAsleepMs >= WAKE_DELAY_MS;
  }

  private wakeLeftAsleep(): void {
    for (let bell = this.leftAsleep.pop(); bell !== undefined; bell = this.leftAsleep.pop()) bell.wakeOwner();
  }

  private runSlice(task: Task): void {
    this.stepsLeft = STEPS_PER_SLICE;
    this.slice++;
    while (this.stepsLeft > 0) {
      this.resume(task);
      if (task.state !== 'runnable') return;
      // Code that yields without asking uses up its slice as well, and may compute for long.
      this.stepsLeft--;
      this.lookForMail();
    }
    this.queue.push(task);
  }

  /** Waits for the doorbell or for `limitMs`, spinning first where that is likely to pay. */
  private idle(doorbell: Doorbell, seen: number, limitMs: number): void {
    this.wakeLeftAsleep();
    const looks = this.habit.wantsToLook();
    const spinEndMs = performance.now() + (looks ? Math.min(SPIN_MAX_MS, limitMs) : 0);
    const wasSeen = this.spin(doorbell, seen, spinEndMs);
    if (!wasSeen) {
      doorbell.wait(seen, Math.min(this.sleepMs, limitMs));
      this.hasSlept = true;
    }
    const wasRung = doorbell.count() !== seen;
    this.habit.note(looks, wasSeen, wasRung);
    this.sleepMs = wasRung ? CONTROL_SLICE_MS : Math.min(2 * this.sleepMs, SLEEP_MAX_MS);
  }

  /** True as soon as the bell has rung; false when the time is over or somebody else needs the core. */
  private spin(doorbell: Doorbell, seen: number, endMs: number): boolean {
    let giveUpMs = endMs;
    let isCrowded = false;
    for (;;) {
      const wasCrowded = isCrowded;
      isCrowded = doorbell.awake > this.cores;
      // Before the first look: to others who wait for the core each moment counts.
      if (isCrowded && this.patienceMs === 0) return doorbell.count() !== seen;
      for (let i = 0; i < LOOKS_PER_CLOCK; i++) {
        if (doorbell.count() !== seen) return true;
        this.pauseState = pause(this.pauseState);
      }
      const now = performance.now();
      if (!isCrowded) giveUpMs = endMs;
      else if (!wasCrowded) giveUpMs = Math.min(endMs, now + this.patienceMs);
      if (now >= giveUpMs) return false;
    }
  }

  private get isHeldBack(): boolean {
    for (const { port } of this.links) if (port.hasBacklog) return true;
    return false;
  }

  private msToNextTimer(): number {
    return Math.max(0, (this.timers.earliest - this.now()) / 1e6);
  }
}

/**
 * Passes a moment with one chain of operations that each need the one before: a tight loop would take the execution units from the other
 * thread of the same core, and there is no pause instruction to be had.
 */
function pause(value: number): number {
  let root = value;
  for (let i = 0; i < PAUSE_ROOTS; i++) root = Math.sqrt(root + 2);
  return root;
}
