/** The table of a sweep: one row for each seed, and a verdict over all. */

import type { RunReport } from '../simulation/runReport.js';
import type { Colors } from './colors.js';
import { workTotals } from './counterNames.js';
import { left, right, textTable } from './textTable.js';
import { formatBytes, formatCount, formatNs, plural } from './units.js';
import { type Verdict, verdictLine, verdictOf } from './verdict.js';

export interface SweepContext {
  readonly colors: Colors;
  /** Seeds that were asked for; fewer reports when the sweep was cut short. */
  readonly seeds: number;
  /** Command line that runs one seed again. */
  readonly againWith: (seed: number) => string;
}

/** `reports` by seed. Ends with a newline. */
export function sweepTable(
  reports: readonly RunReport[],
  { colors, seeds, againWith }: SweepContext,
): string {
  const columns = [
    right('Seed'),
    left('Result'),
    right('Steps'),
    right('Faults'),
    right('Migrations'),
    right('To VRAM'),
    right('Time (simulated)'),
    right('Time (wall)'),
    left('What failed'),
  ];
  const verdicts = reports.map(verdictOf);
  const table = textTable(columns, reports.map(rowOf), {
    title: colors.bold,
    cell: (row, column) => (column === 1 ? (verdicts[row].ok ? colors.green : colors.red) : undefined),
  });
  const again = reports.filter((_, i) => !verdicts[i].ok).map(({ seed }) => `Again: ${againWith(seed)}`);
  const lines = [...table, '', verdictLine(sweepVerdict(reports, seeds), colors), ...again.slice(0, 1)];
  return `${lines.join('\n')}\n`;
}

/** Partial when seeds are missing. */
export function sweepVerdict(reports: readonly RunReport[], seeds: number): Verdict {
  const verdicts = reports.map(verdictOf);
  const ok = verdicts.every((verdict) => verdict.ok);
  const partial = reports.length < seeds;
  const internal = verdicts.some((verdict) => verdict.internal);
  const word = ok ? (partial ? 'PARTIAL' : 'PASSED') : 'FAILED';
  return { word, ok, partial, internal, text: sweepText(reports, seeds) };
}

function sweepText(reports: readonly RunReport[], seeds: number): string {
  const failed = reports.filter((report) => !verdictOf(report).ok).map(({ seed }) => seed);
  const done = formatCount(reports.length);
  if (failed.length > 0)
    return `${formatCount(failed.length)} of ${plural(reports.length, 'seed')} failed, first ${failed[0]}`;
  if (reports.length === seeds) return `${plural(seeds, 'seed')}, all checks held`;
  if (reports.length === 0) return 'interrupted before a seed was done';
  return `interrupted; ${done} of ${plural(seeds, 'seed')} done, all of them passed`;
}

function rowOf(report: RunReport): string[] {
  const { faults, migrations, toVramBytes } = workTotals(report.counters);
  const verdict = verdictOf(report);
  return [
    String(report.seed),
    verdict.ok ? 'ok' : 'FAILED',
    formatCount(report.steps),
    formatCount(faults),
    formatCount(migrations),
    formatBytes(toVramBytes),
    formatNs(report.simulatedNs),
    formatNs(report.wallNs),
    verdict.ok ? '' : verdict.text,
  ];
}
