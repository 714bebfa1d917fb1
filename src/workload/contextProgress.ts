/** How far each context of one device is in a computation: what says of every element whether it is done. */

import { assert } from '../base/assert.js';
import type { ActorProgress, Progress } from './workload.js';

/** Typed arrays, so that it can be sent between threads. */
export interface ComputeProgress {
  /** Pages of all buffers that the CPU thread has filled, in order. */
  readonly initialised: number;
  /** By context: the launch that it is in or has last ended. Empty before the first one. */
  readonly phase: Float64Array;
  /** By context: elements of its share done in that launch. */
  readonly done: Float64Array;
}

/** One instance's part: an instance is either the CPU thread's or one device's. */
export class ProgressRecord {
  initialised = 0;
  readonly phase: Float64Array;
  readonly done: Float64Array;
  private device = -1;

  constructor(contexts: number) {
    this.phase = new Float64Array(contexts);
    this.done = new Float64Array(contexts);
  }

  /** Each device has an instance of its own. */
  bindTo(device: number): void {
    assert(this.device === -1 || this.device === device, 'one instance of a workload serves two devices');
    this.device = device;
  }

  begin(context: number, phase: number): void {
    this.phase[context] = phase;
    this.done[context] = 0;
  }

  snapshot(): Progress {
    return { initialised: this.initialised, phase: this.phase.slice(), done: this.done.slice() };
  }
}

/** The progress of all actors together. Actors that have not reported have done nothing. */
export class RunProgressView {
  readonly initialised: number;
  private readonly byDevice = new Map<number, ComputeProgress>();

  constructor(progress: readonly ActorProgress[]) {
    let initialised = 0;
    for (const { device, progress: sent } of progress) {
      const read = readComputeProgress(sent);
      if (device < 0) initialised = read.initialised;
      else this.byDevice.set(device, read);
    }
    this.initialised = initialised;
  }

  phase(device: number, context: number): number {
    return this.byDevice.get(device)?.phase[context] ?? 0;
  }

  done(device: number, context: number): number {
    return this.byDevice.get(device)?.done[context] ?? 0;
  }
}

/** A boundary between threads: what comes in is checked to be what {@link ProgressRecord.snapshot} sent. */
function readComputeProgress({ initialised, phase, done }: Progress): ComputeProgress {
  assert(typeof initialised === 'number', 'progress without initialised pages');
  assert(phase instanceof Float64Array && done instanceof Float64Array, 'progress without contexts');
  return { initialised, phase, done };
}
