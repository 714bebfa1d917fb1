/** Everything that a report says of a trace. */

import { PAGE_BYTES } from '../../base/units.js';
import { readTimeline } from '../../observe/trace/timeline.js';
import type { Trace } from '../../observe/trace/trace.js';
import { readTrace, type TraceEvent, type TraceVisitor } from '../../observe/trace/traceReader.js';
import type { TraceData } from './reportData.js';
import { Residency } from './residency.js';
import { TraceStatistics } from './traceStatistics.js';
import { Traffic } from './traffic.js';

export function traceData(trace: Trace): TraceData {
  const statistics = new TraceStatistics(trace);
  readTimeline(trace, statistics);
  const residency = new Residency(trace);
  const traffic = new Traffic(trace);
  readTrace(trace, new Both(residency, traffic));
  return {
    events: trace.events,
    dropped: trace.dropped,
    spanNs: statistics.lastNs,
    traffic: traffic.data(),
    residency: residency.data(),
    latencies: statistics.latencies(),
    phases: statistics.phases(),
    causes: statistics.causes(),
    invalidations: statistics.invalidations(),
    rates: statistics.ratesOverTime(),
    vram: statistics.vramOverTime(PAGE_BYTES),
    links: statistics.binned(traffic.carried),
    locks: statistics.locks(),
    waits: statistics.waits(),
    retries: statistics.retries(),
  };
}

/** One reading for two that look at single steps. */
class Both implements TraceVisitor {
  constructor(
    private readonly a: TraceVisitor,
    private readonly b: TraceVisitor,
  ) {}

  onStep(event: TraceEvent, step: number, task: string): void {
    this.a.onStep(event, step, task);
    this.b.onStep(event, step, task);
  }
  onBlocked(): void {}
  onWoken(): void {}
  onSpawned(): void {}
}
