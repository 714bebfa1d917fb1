/** The simplest sharing of links: transfers pass one after another, so those of concurrent copies take turns. */

import { assert } from '../base/assert.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { type DeviceLinks, type Interconnect, type LinkId, linkCount, linkSpec } from './interconnect.js';

/**
 * A link is busy for bytes / bandwidth per transfer, in order of arrival. Latency delays the requester, not the link: another transfer
 * may pass meanwhile.
 */
export class FifoInterconnect implements Interconnect {
  /** Per link, the time from which on it is free. */
  private readonly freeAtNs: Float64Array;

  constructor(
    private readonly sched: Scheduler,
    private readonly links: DeviceLinks,
  ) {
    this.freeAtNs = new Float64Array(linkCount(links));
  }

  *transfer(link: LinkId, bytes: number, continued: boolean): Steps<void> {
    const spec = linkSpec(this.links, link);
    assert(spec !== null, () => `transfer over link ${link}, which does not exist`);
    if (!this.sched.modelsTime) return;
    const now = this.sched.now();
    const end = Math.max(now, this.freeAtNs[link]) + bytes / spec.bandwidthBytesPerNs;
    this.freeAtNs[link] = end;
    yield* this.sched.spend(end - now + (continued ? 0 : spec.latencyNs));
  }
}
