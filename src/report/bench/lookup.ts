/** What `bench lookup` says: one row for each kind of look-up and number of entries, with its ratio to the fewest. */

import { summaryOf } from '../../base/statistics.js';
import type { LookupCell } from '../../simulation/bench/lookup.js';
import { left, right } from '../textTable.js';
import { formatCount, formatNs, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';
import { warmupsResult, warmupsText } from './warmups.js';

export const lookupReport: BenchReport<LookupCell> = {
  metrics: {
    time: { unit: 'ns', clock: 'wall', better: 'lower', what: 'one look-up' },
    ratio: {
      unit: 'plain',
      clock: 'wall',
      better: 'lower',
      what: 'to the same look-up among the fewest entries',
    },
  },
  measured: ({ name, entries, times, ratio }) => ({
    key: lookupKey(name, entries),
    samples: { time: times, ratio: [ratio] },
  }),
  checks: (cells) => {
    const wrong = cells.filter(({ verified }) => !verified);
    const counted = plural(cells.length, 'measurement');
    const detail =
      wrong.length === 0
        ? `every look-up found its entry in ${counted}`
        : `look-ups went wrong in ${formatCount(wrong.length)} of ${counted}`;
    return [{ name: 'found', ok: wrong.length === 0, detail }];
  },
  blocks: (cells) => {
    const columns = [
      left('Look-up'),
      right('Entries'),
      right('Median (wall)'),
      right('lowest'),
      right('highest'),
      right('ratio (wall)'),
      right('warm-ups'),
    ];
    const rows = cells.map((cell) => {
      const { name, entries, times, ratio } = cell;
      const { median, min, max } = summaryOf(times);
      const figures = [median, min, max].map(formatNs);
      return [name, formatCount(entries), ...figures, ratio.toFixed(2), warmupsText(cell)];
    });
    return [{ columns, rows }];
  },
  results: (cell) => {
    const { name, entries, times, ratio, verified } = cell;
    const { count, median, min, max } = summaryOf(times);
    const wall = { nsPerLookup: median, minNs: min, maxNs: max, samples: count, ...warmupsResult(cell) };
    return [{ name, entries, wall, wallRatio: ratio, verified }];
  },
};

export function lookupKey(name: string, entries: number): string {
  return `${name}.${entries}`;
}
