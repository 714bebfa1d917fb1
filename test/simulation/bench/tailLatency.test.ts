/** The slowest one of a thousand is told only of a thousand. */

import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../src/observe/histogram.js';
import { tailLatencyOf } from '../../../src/simulation/bench/tailLatency.js';

function recorded(count: number): Histogram {
  const histogram = Histogram.create();
  for (let i = 0; i < count; i++) histogram.record(i === 0 ? 31 : 10);
  return histogram;
}

describe('tailLatencyOf', () => {
  it('has a 99.9th percentile from a thousand on', () => {
    expect(tailLatencyOf(recorded(1000))).toMatchObject({ count: 1000, p50Ns: 10, p999Ns: 10, maxNs: 31 });
    expect(tailLatencyOf(recorded(999))).toMatchObject({ count: 999, p50Ns: 10, p999Ns: null, maxNs: 31 });
  });
});
