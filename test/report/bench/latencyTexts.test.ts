/** Latencies as cells of a table. */

import { expect, it } from 'vitest';
import { latencyTexts, latencyTitles, toldSample } from '../../../src/report/bench/latencyTexts.js';

const latency = { count: 9, meanNs: 1500, p50Ns: 1000, p90Ns: 2000, p99Ns: 3000, p999Ns: 4000, maxNs: 5000 };

it('has a text for each title, and none made up for what was not measured', () => {
  expect(latencyTexts(latency)).toEqual(['1us', '2us', '3us', '4us', '5us']);
  expect(latencyTexts({ ...latency, p999Ns: null })).toEqual(['1us', '2us', '3us', 'N/A', '5us']);
  expect(latencyTitles).toHaveLength(5);
});

it('makes no sample of a figure from what was too few for it', () => {
  expect(toldSample(3000)).toEqual([3000]);
  expect(toldSample(null)).toEqual([]);
});
