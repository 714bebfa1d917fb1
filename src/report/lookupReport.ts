/** What `bench lookup` prints: one row for each kind of look-up and number of entries, with its ratio to the fewest. */

import type { LookupCell } from '../simulation/benchLookup.js';
import type { CheckResult } from '../simulation/runReport.js';
import type { Colors } from './colors.js';
import { left, right, textTable } from './textTable.js';
import { formatCount, formatNs, plural } from './units.js';
import { type Verdict, verdictLine, verdictOf } from './verdict.js';

/** Ends with a newline. */
export function lookupReport(cells: readonly LookupCell[], partial: boolean, colors: Colors): string {
  const columns = [
    left('Look-up'),
    right('Entries'),
    right('ns (wall, median)'),
    right('lowest'),
    right('highest'),
    right('ratio (wall)'),
  ];
  const rows = cells.map(({ name, entries, wall, ratio }) => [
    name,
    formatCount(entries),
    formatNs(wall.nsPerLookup),
    formatNs(wall.minNs),
    formatNs(wall.maxNs),
    ratio.toFixed(2),
  ]);
  const table = cells.length === 0 ? [] : [textTable(columns, rows, { title: colors.bold }).join('\n')];
  return `${[...table, verdictLine(lookupVerdict(cells, partial), colors)].join('\n\n')}\n`;
}

export function lookupChecks(cells: readonly LookupCell[]): CheckResult[] {
  const wrong = cells.filter(({ verified }) => !verified);
  const counted = plural(cells.length, 'measurement');
  const detail =
    wrong.length === 0
      ? `every look-up found its entry in ${counted}`
      : `look-ups went wrong in ${formatCount(wrong.length)} of ${counted}`;
  return [{ name: 'found', ok: wrong.length === 0, detail }];
}

export function lookupVerdict(cells: readonly LookupCell[], partial: boolean): Verdict {
  const checks = cells.length === 0 ? [] : lookupChecks(cells);
  const outcome = partial ? 'interrupted' : 'completed';
  const verdict = verdictOf({ outcome, checks, workloads: [], failure: null });
  return checks.length === 0 || partial ? verdict : { ...verdict, text: checks[0].detail };
}
