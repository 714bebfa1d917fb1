/** Times the part of a benchmark's round that is measured, by the executor's clock and by this machine's. */

import type { HostContext } from '../workload.js';

export class RoundTimer {
  /** Of the executor's clock. */
  ns = 0;
  /** Of this machine's clock. */
  wallNs = 0;
  private startNs = 0;
  private startMs = 0;

  constructor(private readonly host: Pick<HostContext, 'now'>) {}

  start(): void {
    this.startNs = this.host.now();
    this.startMs = performance.now();
  }

  stop(): void {
    this.ns = this.host.now() - this.startNs;
    this.wallNs = (performance.now() - this.startMs) * 1e6;
  }
}
