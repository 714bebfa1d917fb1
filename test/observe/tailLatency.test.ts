/** The slowest one of ten, of a hundred and of a thousand is told only of as many. */

import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/observe/histogram.js';
import { hasPercentile, tailLatencyOf } from '../../src/observe/tailLatency.js';

/** One is slow. */
function recorded(count: number): Histogram {
  const histogram = Histogram.create();
  for (let i = 0; i < count; i++) histogram.record(i === 0 ? 31 : 10);
  return histogram;
}

describe('tailLatencyOf', () => {
  it.each([
    [1, [null, null, null]],
    [9, [null, null, null]],
    [10, [10, null, null]],
    [99, [10, null, null]],
    [100, [10, 10, null]],
    [999, [10, 10, null]],
    [1000, [10, 10, 10]],
  ])('has of %i latencies no percentile that is the largest', (count, [p90Ns, p99Ns, p999Ns]) => {
    const p50Ns = count === 1 ? 31 : 10;
    expect(tailLatencyOf(recorded(count))).toMatchObject({ count, p50Ns, p90Ns, p99Ns, p999Ns, maxNs: 31 });
  });

  it('has none of nothing', () => {
    expect(tailLatencyOf(recorded(0))).toMatchObject({ count: 0, p90Ns: null, p99Ns: null, p999Ns: null });
    expect(hasPercentile(0, 0.9)).toBe(false);
  });
});
