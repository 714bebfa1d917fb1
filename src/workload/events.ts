/** A CPU thread that carries out what a scenario plans for certain moments: prefetches, and devices that the driver lets go of. */

import { unreachable } from '../base/assert.js';
import { Errno, errnoName } from '../base/errno.js';
import type { Steps } from '../sim/steps.js';
import {
  type DeviceKernel,
  type Expectation,
  emptyIf,
  type HostContext,
  type Progress,
  type Workload,
  type WorkloadResult,
} from './workload.js';
import type { EventsConfig, PlannedEvent } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';

/** A long wait is slept in pieces, so that the run can be paused and stopped meanwhile. */
const SLEEP_SLICE_NS = 1_000_000;

/** What the program needs of its host. */
export type PlanningHost = Pick<HostContext, 'gate' | 'stopping' | 'now' | 'sleep' | 'prefetch' | 'unbind'>;

export class Events implements Workload {
  readonly name: string;
  private readonly counts = { prefetches: 0, unbinds: 0, refused: 0 };

  constructor(private readonly config: EventsConfig) {
    this.name = config.name;
  }

  /** One after another: one that takes long makes the next one late. Those that are not due when the run ends are left out. */
  *run(host: PlanningHost): Steps<WorkloadResult> {
    let failed: string | null = null;
    let done = 0;
    for (const event of this.config.events) {
      yield* this.waitUntil(host, event.atNs);
      if (host.stopping) break;
      if (host.gate.isClosed) yield* host.gate.pass();
      failed ??= yield* this.carryOut(host, event);
      done++;
      yield WorkloadStep.call;
    }
    const what = `${done} of ${this.config.events.length} events`;
    const detail = failed === null ? what : `${what}; ${failed}`;
    const counts = { ...this.counts };
    return { workload: this.name, ok: failed === null, detail, counts, ...emptyIf(done === 0) };
  }

  kernel(): DeviceKernel {
    throw new Error('events run nothing on devices');
  }

  progress(): Progress {
    return {};
  }

  /** It has no memory of its own. */
  expect(): Expectation[] {
    return [];
  }

  /** What went wrong, in words, or null. */
  private *carryOut(host: PlanningHost, event: PlannedEvent): Steps<string | null> {
    switch (event.kind) {
      case 'prefetch': {
        this.counts.prefetches++;
        // Whoever accesses the pages later gets them all the same.
        if ((yield* host.prefetch(event.start, event.npages, event.target, 1)) !== Errno.OK)
          this.counts.refused++;
        return null;
      }
      case 'unbind': {
        this.counts.unbinds++;
        const errno = yield* host.unbind(event.device);
        return errno === Errno.OK ? null : `the unbind of gpu${event.device} gives ${errnoName(errno)}`;
      }
      default:
        return unreachable(event);
    }
  }

  private *waitUntil(host: PlanningHost, atNs: number): Steps<void> {
    for (let leftNs = atNs - host.now(); leftNs > 0 && !host.stopping; leftNs = atNs - host.now()) {
      if (host.gate.isClosed) yield* host.gate.pass();
      yield* host.sleep(Math.min(leftNs, SLEEP_SLICE_NS));
    }
  }
}
