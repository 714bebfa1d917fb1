/** Lets signals in now and then while a run computes. */

import { performance } from 'node:perf_hooks';

/** Of wall time. */
const BREATHE_MS = 50;
/** Looks at the clock cost more than a step of the run. */
const STEPS_BETWEEN_LOOKS = 16;

export class Breather {
  private breathedMs = performance.now();
  private looks = 0;

  /** Whether it is time to breathe; to be asked after every step. */
  readonly isDue = (): boolean => {
    if (++this.looks % STEPS_BETWEEN_LOOKS !== 0) return false;
    return this.isTired;
  };

  /** The same, for who asks seldom. */
  get isTired(): boolean {
    return performance.now() - this.breathedMs > BREATHE_MS;
  }

  /** Gives the event loop a turn. Rejects with an AbortError once the signal has come. */
  async breathe(signal: AbortSignal | undefined): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.breathedMs = performance.now();
    signal?.throwIfAborted();
  }
}
