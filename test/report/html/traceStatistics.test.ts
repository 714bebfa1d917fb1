/** What a report says of spans and instants: what has failed is no latency, and what is left out is told. */

import { describe, expect, it } from 'vitest';
import type { EventArguments } from '../../../src/observe/trace/eventArguments.js';
import type { Instant, Span } from '../../../src/observe/trace/timeline.js';
import { TraceStatistics } from '../../../src/report/html/traceStatistics.js';

function span(changes: Partial<Span>): Span {
  return {
    name: 'get pages',
    category: 'mapping',
    actor: 0,
    lane: 0,
    beginNs: 0,
    args: {},
    flow: 0,
    task: 'task',
    phaseOf: null,
    ...changes,
  };
}

function instant(name: string, args: EventArguments): Instant {
  return { name, actor: 0, lane: 0, timeNs: 0, args, flow: 0 };
}

/** Each ended after so many nanoseconds, with these arguments. */
function statisticsOf(
  ...ended: readonly (readonly [Partial<Span>, number, EventArguments])[]
): TraceStatistics {
  const statistics = new TraceStatistics({ actors: [] });
  for (const [changes, endNs, args] of ended) {
    const one = span(changes);
    statistics.onBegin(one);
    statistics.onEnd(one, endNs, args);
  }
  return statistics;
}

describe('latencies', () => {
  it('leave out attempts to get pages that begin again', () => {
    const statistics = statisticsOf([{}, 50, { errno: '-EAGAIN' }], [{}, 10, { errno: 'OK' }]);
    expect(statistics.latencies()).toMatchObject([{ name: 'get_pages', count: 1, maxNs: 10 }]);
  });

  it('leave out faults that were not served for the contexts that wait for them', () => {
    const statistics = statisticsOf();
    statistics.onInstant(instant('device.faultServed', { errno: '-EFAULT', ns: 50 }));
    statistics.onInstant(instant('device.faultServed', { errno: 'OK', ns: 10 }));
    expect(statistics.latencies()).toMatchObject([
      { name: 'GPU fault, as the context waits', count: 1, maxNs: 10 },
    ]);
  });
});

it('tables of waits say what they leave out', () => {
  const waits = Array.from({ length: 63 }, (_, i) => {
    const changes: Partial<Span> = { name: `wait for reply ${i}`, category: 'wait' };
    return [changes, 100 - i, {}] as const;
  });
  const { rows, leftOut } = statisticsOf(...waits).waits();
  expect([rows.length, rows[0].totalNs]).toEqual([60, 100]);
  expect(leftOut).toEqual({ rows: 3, totalNs: 40 + 39 + 38 });
});
