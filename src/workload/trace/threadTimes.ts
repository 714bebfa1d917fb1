/** Holds the times of a trace against the order of its lines: strace prints what a thread does as it does it. */

import { TraceError, type TraceLine } from './traceError.js';

/** As printed, and on the axis of the trace. */
export interface LineTime {
  readonly stamp: string;
  readonly atUs: number;
}

export class ThreadTimes {
  /** Lines that are earlier than the one above, which is another thread's. */
  backwards = 0;
  private readonly last = new Map<number, LineTime>();
  private lastUs = Number.NEGATIVE_INFINITY;

  /**
   * Lines come in order. Throws a TraceError for one that is earlier than one of the same thread above it: parts were joined in the wrong order, or the
   * clock was set back, and nobody can tell which. Threads overlap, so that between two of them it is only counted.
   */
  follow(pid: number, time: LineTime, where: TraceLine): void {
    const before = this.last.get(pid);
    if (before !== undefined && time.atUs < before.atUs) {
      throw new TraceError(
        where,
        `the time ${time.stamp} after ${before.stamp} in the same thread`,
        'times that do not fall, as strace prints them: one recording, in its order, while nobody sets the clock back',
      );
    }
    if (time.atUs < this.lastUs) this.backwards++;
    this.last.set(pid, time);
    this.lastUs = time.atUs;
  }
}
