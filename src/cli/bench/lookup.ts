/** `svmsim bench lookup`: what a look-up by address costs among more and more entries. */

import { median } from '../../base/statistics.js';
import { lookupKey, lookupReport } from '../../report/bench/lookup.js';
import { formatCount, formatNs } from '../../report/units.js';
import { type LookupCell, type LookupOptions, lookupNames } from '../../simulation/bench/lookup.js';
import { ascendingCounts } from '../optionValues.js';
import { type Benchmark, textOption } from './benchmark.js';

const DEFAULT_ENTRIES = '1000,10000,100000,1000000';
const ENTRIES_MAX = 10_000_000;

export const lookupBenchmark: Benchmark<LookupOptions, LookupCell> = {
  name: 'lookup',
  what: 'look-ups of ranges, notifiers and GPU mappings by address, among a thousand to a million of them',
  scenario: 'bench-migrate',
  takes: ['entries'],
  // One thread builds the trees and looks things up; no mirror runs.
  without: ['executor', 'preset'],
  samplesMax: 10_000,
  report: lookupReport,
  plan: ({ typed, config, samples }) => {
    const entries = ascendingCounts('--entries', textOption(typed, 'entries', DEFAULT_ENTRIES), ENTRIES_MAX);
    const keys = lookupNames.flatMap((name) => entries.map((count) => lookupKey(name, count)));
    return { options: { entries, samples }, largest: config, keys };
  },
  measure: (simulator, config, options) => simulator.bench.lookup(config, options),
  progress: ({ name, entries, times }) =>
    `${name} among ${formatCount(entries)}: ${formatNs(median(times))} wall`,
};
