/** Counts, measures and records the named steps of one actor in shared memory, where the main thread can read them at any time. */

import { assert } from '../base/assert.js';
import type { StepObserver } from '../sim/scheduler.js';
import type { StepId } from '../sim/steps.js';
import type { Task } from '../sim/task.js';
import type { FlightRecorder } from './flightRecorder.js';
import { allMeters, CELL_WORDS, type Meter, meterKey } from './meters.js';
import { ObserverSection, SECTION_BYTES, STEP_WORDS } from './observerSection.js';
import { hasArguments, STEP_NUMBERS, type StepNumber, stepNumber } from './stepCatalog.js';

/** The shared buffer of all actors' sections. */
export class ObserverBuffers {
  readonly actorCount: number;
  private readonly sections: (ObserverSection | undefined)[] = [];

  constructor(readonly buffer: SharedArrayBuffer) {
    this.actorCount = buffer.byteLength / SECTION_BYTES;
    assert(Number.isInteger(this.actorCount), 'observer buffer of a wrong size');
  }

  static bytesFor(actorCount: number): number {
    return actorCount * SECTION_BYTES;
  }

  static allocate(actorCount: number): ObserverBuffers {
    return new ObserverBuffers(new SharedArrayBuffer(ObserverBuffers.bytesFor(actorCount)));
  }

  /** Empties what all actors keep latencies in; while none of them measures. */
  clearHistograms(): void {
    for (let actor = 0; actor < this.actorCount; actor++) this.section(actor).clearHistograms();
  }

  section(actor: number): ObserverSection {
    assert(actor >= 0 && actor < this.actorCount, () => `no observer section for actor ${actor}`);
    let section = this.sections[actor];
    if (section === undefined) {
      section = new ObserverSection(this.buffer, actor * SECTION_BYTES);
      this.sections[actor] = section;
    }
    return section;
  }

  /** On the clock that all actors share; 0 where that begins with the run. */
  get runStartNs(): number {
    return this.section(0).runStartNs;
  }

  set runStartNs(ns: number) {
    this.section(0).runStartNs = ns;
  }
}

/** What times are taken from: a scheduler. */
export interface Clock {
  now(): number;
  /** Grows whenever a task is let run after it has waited, or after others: steps with the same number follow one another closely. */
  readonly slice: number;
}

/** The same in all threads, unlike the clocks of executors, which start at different moments. */
export function sharedWallNs(): number {
  return (performance.timeOrigin + performance.now()) * 1e6;
}

/** For actors in threads of their own: what makes their times comparable. */
export function wallClockOffsetNs(clock: Pick<Clock, 'now'>): number {
  return sharedWallNs() - clock.now();
}

/** The same against a clock that all threads of the process share and that is exact to the nanosecond, since its numbers are small. */
export function monotonicOffsetNs(clock: Pick<Clock, 'now'>): number {
  return Number(process.hrtime.bigint()) - clock.now();
}

/** Numbers the steps of all actors that share it: only those that one thread runs can. */
export class StepOrder {
  next = 0;
}

/** By step number: the first of its meters; those of step n end where those of n + 1 begin. */
const metersByStep: readonly Meter[] = [...allMeters].sort((a, b) => stepNumber(a.step) - stepNumber(b.step));
const firstMeter: Uint16Array = indexMeters();

function indexMeters(): Uint16Array {
  const first = new Uint16Array(STEP_NUMBERS + 1);
  for (const meter of metersByStep) first[stepNumber(meter.step) + 1]++;
  for (let number = 1; number <= STEP_NUMBERS; number++) first[number] += first[number - 1];
  return first;
}

/**
 * Reading the wall clock costs more than all else that is done for a step, so steps that a task takes one right after the other share a time,
 * at most this many.
 */
const STEPS_PER_WALL_TIME = 8;

/** The only writer of its section. `onStep` allocates nothing. */
export class ActorObserver implements StepObserver {
  readonly section: ObserverSection;
  private readonly steps: Float64Array;
  private readonly cells: Float64Array;
  private readonly recorder: FlightRecorder;
  private readonly order: StepOrder;
  private readonly stepsPerTime: number;
  /** The time that steps are recorded with, the task that it was read for, and the steps recorded since. */
  private timeNs = 0;
  private timedTask: Task | null | undefined = undefined;
  private timedSlice = -1;
  private timedSteps = 0;

  constructor(
    buffers: ObserverBuffers,
    readonly actor: number,
    private readonly clock: Clock,
    /** 0 where all actors share one clock, else {@link wallClockOffsetNs}. */
    clockOffsetNs = 0,
    /** Given where one thread runs all actors by one simulated clock, which costs nothing to read. */
    sharedOrder: StepOrder | null = null,
  ) {
    this.order = sharedOrder ?? new StepOrder();
    this.stepsPerTime = sharedOrder === null ? STEPS_PER_WALL_TIME : 1;
    this.section = buffers.section(actor);
    this.section.clockOffsetNs = clockOffsetNs;
    this.steps = this.section.steps;
    this.cells = this.section.cells;
    this.recorder = this.section.recorder;
  }

  onStep(task: Task | null, step: StepId, a: number, b: number, c: number, d: number): void {
    this.count(task, stepNumber(step), a, b, c, d);
  }

  /** What happens at `timeNs`, by somebody who has read the clock anyway. */
  countAt(
    timeNs: number,
    task: Task | null,
    step: StepNumber,
    a: number,
    b: number,
    c: number,
    d: number,
  ): void {
    this.timeNs = timeNs;
    this.timedTask = task;
    this.timedSlice = this.clock.slice;
    this.timedSteps = 0;
    this.count(task, step, a, b, c, d);
  }

  count(task: Task | null, number: StepNumber, a: number, b: number, c: number, d: number): void {
    this.steps[number * STEP_WORDS]++;
    // Steps without arguments are the most frequent ones.
    if (!hasArguments(number)) return;
    this.sum(number, a, b, c, d);
    this.record(task, number, a, b, c, d);
    const end = firstMeter[number + 1];
    for (let i = firstMeter[number]; i < end; i++) this.measure(metersByStep[i], a, b, c, d);
  }

  private sum(step: StepNumber, a: number, b: number, c: number, d: number): void {
    const { steps } = this;
    const at = step * STEP_WORDS;
    steps[at + 1] += a;
    steps[at + 2] += b;
    steps[at + 3] += c;
    steps[at + 4] += d;
  }

  private record(task: Task | null, step: StepNumber, a: number, b: number, c: number, d: number): void {
    const isStale = task !== this.timedTask || this.clock.slice !== this.timedSlice;
    if (isStale || this.timedSteps >= this.stepsPerTime) this.readClock(task);
    this.timedSteps++;
    const taskId = task === null ? 0 : task.id;
    this.recorder.record(this.timeNs, step, taskId, a, b, c, d, this.order.next++);
  }

  private readClock(task: Task | null): void {
    this.timeNs = this.clock.now();
    this.timedTask = task;
    this.timedSlice = this.clock.slice;
    this.timedSteps = 0;
  }

  private measure(meter: Meter, a: number, b: number, c: number, d: number): void {
    // Where nothing says how it ended, this is 0 too.
    if (argument(meter.okArg, a, b, c, d) !== 0) return;
    const size = argument(meter.sizeArg, a, b, c, d);
    const key = meterKey(meter.key, argument(meter.keyArg, a, b, c, d), size);
    const value = argument(meter.sumArg, a, b, c, d);
    const at = (meter.firstCell + key) * CELL_WORDS;
    this.cells[at]++;
    this.cells[at + 1] += value;
    if (meter.firstHistogram >= 0) this.section.histogram(meter, key).record(value);
  }
}

/** The argument at a position; 0 for no position. */
function argument(position: number, a: number, b: number, c: number, d: number): number {
  if (position === 0) return a;
  if (position === 1) return b;
  if (position === 2) return c;
  return position === 3 ? d : 0;
}
