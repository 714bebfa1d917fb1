/** A report's tables tell no percentile that is the largest by another name. */

import { expect, it } from 'vitest';
import { percentileTexts, percentileTitles } from '../../../src/report/page/percentileTexts.js';

const times = { name: 'x', meanNs: 1500, p50Ns: 1000, p90Ns: 2000, p99Ns: 3000, maxNs: 5000, buckets: null };

it.each([
  [9, ['1us', 'N/A', 'N/A', '5us']],
  [10, ['1us', '2us', 'N/A', '5us']],
  [100, ['1us', '2us', '3us', '5us']],
])('has of %i a text for each title', (count, texts) => {
  expect(percentileTexts({ ...times, count })).toEqual(texts);
  expect(texts).toHaveLength(percentileTitles.length);
});
