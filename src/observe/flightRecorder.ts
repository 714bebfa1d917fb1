/** A ring of an actor's last steps in shared memory: one thread writes, any may read, also after the writer died. */

import { assert } from '../base/assert.js';
import { STEP_FIELDS_MAX } from '../sim/steps.js';
import { OTHER_STEP } from './stepCatalog.js';

/** A power of two. */
export const RECORDER_STEPS = 1024;
/** Doubles per step: time, step number, task, the four arguments, and the order among actors. */
const STEP_WORDS = 8;
const TIME = 0;
const STEP = 1;
const TASK = 2;
const ARGS = 3;
const ORDER = 7;

/** The head is one int32 with a cache line of its own. */
const HEAD_BYTES = 64;

export const RECORDER_BYTES = HEAD_BYTES + RECORDER_STEPS * STEP_WORDS * 8;

/** One recorded step. */
export interface RecordedStep {
  /** Position among all steps that the actor took, modulo 2^32. */
  readonly sequence: number;
  /** On the actor's own clock. */
  readonly timeNs: number;
  /** A number of the step catalog. */
  readonly step: number;
  /** 0 outside any task. */
  readonly task: number;
  readonly args: readonly number[];
  /** Among the steps of all actors that one thread runs; of the actor's own steps otherwise. */
  readonly order: number;
}

export class FlightRecorder {
  private readonly head: Int32Array;
  private readonly words: Float64Array;
  /** The writer's own copy of the head. */
  private next: number;

  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.head = new Int32Array(buffer, byteOffset, 1);
    this.words = new Float64Array(buffer, byteOffset + HEAD_BYTES, RECORDER_STEPS * STEP_WORDS);
    this.next = Atomics.load(this.head, 0);
  }

  /**
   * The one writer's only call. The head moves after the entry is complete, by a plain store, which costs a fraction of an atomic one: whoever
   * reads a running actor may on some machines see the newest entries half written; at rest and after the actor's death there are none.
   */
  record(
    timeNs: number,
    step: number,
    task: number,
    a: number,
    b: number,
    c: number,
    d: number,
    order: number,
  ): void {
    const { words } = this;
    const at = (this.next & (RECORDER_STEPS - 1)) * STEP_WORDS;
    words[at + TIME] = timeNs;
    words[at + STEP] = step;
    words[at + TASK] = task;
    words[at + ARGS] = a;
    words[at + ARGS + 1] = b;
    words[at + ARGS + 2] = c;
    words[at + ARGS + 3] = d;
    words[at + ORDER] = order;
    this.next = (this.next + 1) | 0;
    this.head[0] = this.next;
  }

  /**
   * The last `count` steps, oldest first; at most all but one of the ring, since a running writer may be at the oldest. Steps that it
   * overwrites meanwhile are left out.
   */
  last(count: number): RecordedStep[] {
    assert(count >= 0, 'a negative number of steps');
    const end = Atomics.load(this.head, 0) >>> 0;
    const start = Math.max(0, end - Math.min(count, RECORDER_STEPS - 1));
    const found: RecordedStep[] = [];
    for (let sequence = start; sequence < end; sequence++) found.push(this.read(sequence));
    const oldestIntact = (Atomics.load(this.head, 0) >>> 0) - RECORDER_STEPS + 1;
    return found.filter((step) => step.sequence >= oldestIntact);
  }

  private read(sequence: number): RecordedStep {
    const at = (sequence & (RECORDER_STEPS - 1)) * STEP_WORDS;
    const { words } = this;
    const step = words[at + STEP];
    const args: number[] = [];
    for (let i = 0; i < STEP_FIELDS_MAX; i++) args.push(words[at + ARGS + i]);
    return {
      sequence,
      timeNs: words[at + TIME],
      step: Number.isInteger(step) && step >= 0 ? step : OTHER_STEP,
      task: words[at + TASK],
      args,
      order: words[at + ORDER],
    };
  }
}
