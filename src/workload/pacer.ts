/** Spaces the operations of a load evenly in time, as far as each of them lets the next one begin. */

import type { Steps } from '../sim/steps.js';
import type { HostContext } from './workload.js';

/** A long wait is slept in pieces, so that the run can be paused and stopped meanwhile. */
const SLEEP_SLICE_NS = 1_000_000;
const NANOSECONDS_PER_SECOND = 1e9;

/** What a pacer needs of its host. */
export type PacedHost = Pick<HostContext, 'gate' | 'stopping' | 'sleep' | 'now'>;

/**
 * An operation that comes late does not make the next ones come sooner: there is no burst after a stall, and what could not be done at the
 * rate is not done.
 */
export class Pacer {
  private readonly intervalNs: number;
  private dueNs = Number.NEGATIVE_INFINITY;
  /** Whether it is between two operations now. */
  isWaiting = false;

  /** Infinity: free running. */
  constructor(ratePerSecond: number) {
    this.intervalNs = NANOSECONDS_PER_SECOND / ratePerSecond;
  }

  /** Whether operations follow one another without a wait. */
  get isFree(): boolean {
    return this.intervalNs === 0;
  }

  /** Returns when the next operation is due, or the run ends. */
  *next(host: PacedHost): Steps<void> {
    if (this.isFree) return;
    this.isWaiting = true;
    while (!host.stopping && host.now() < this.dueNs) {
      if (host.gate.isClosed) yield* host.gate.pass();
      yield* host.sleep(Math.min(this.dueNs - host.now(), SLEEP_SLICE_NS));
    }
    this.isWaiting = false;
    this.dueNs = Math.max(this.dueNs, host.now()) + this.intervalNs;
  }
}
