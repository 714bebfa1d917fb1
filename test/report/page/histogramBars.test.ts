/** The bars of a histogram hold everything that was measured. */

import { expect, it } from 'vitest';
import { edgesOf, shares } from '../../../src/report/page/histogramBars.js';
import { NO_LATENCY } from '../fixtures.js';

it.each([
  ['that took no time', [[0, 3]]],
  [
    'of which some took none',
    [
      [0, 1],
      [1500, 2],
    ],
  ],
] as const)('things %s', (_what, buckets) => {
  const edges = edgesOf(buckets.map(([topNs]) => topNs));
  const bars = shares({ name: 'fault', ...NO_LATENCY, count: 3, buckets }, edges);
  expect(bars.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1);
  expect(bars[0]).toBeCloseTo(buckets[0][1] / 3);
});
