/** What `bench migrate` says: a matrix for each test and size, all tests beside one another, what was moved in vain, and where the time of a migration goes. */

import { median, relativeSpread, summaryOf } from '../../base/statistics.js';
import { PAGE_BYTES } from '../../base/units.js';
import type {
  MigrateCell,
  MigrateFlowResult,
  MigrateTotals,
  MigrateVariant,
} from '../../simulation/bench/migrate.js';
import type { CheckResult } from '../../simulation/runReport.js';
import type { ClockName } from '../clock.js';
import type { JsonObject } from '../json.js';
import { matrixBlock } from '../matrix.js';
import type { ReportBlock, TableBlock } from '../reportBlock.js';
import { type Column, left, right } from '../textTable.js';
import { formatBytes, formatCount, formatGBps, formatRate, formatShare, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';
import type { Metric, Metrics } from './figure.js';
import { migrateKey } from './migrateKey.js';
import { copyShareOf, phaseBlocks } from './migratePhases.js';
import { bandwidths, groupRateOf, groupsOf, matrixSums, sumSamples } from './migrateSums.js';
import { warmupsResult, warmupsText } from './warmups.js';

const clocks = ['wall', 'simulated'] as const satisfies readonly ClockName[];

export const migrateReport: BenchReport<MigrateCell> = {
  metrics: { ...clockMetrics('wall'), memcpyRatio: memcpyMetric(), ...clockMetrics('simulated') },
  measured: (cell) => ({
    key: migrateKey(cell),
    samples: {
      ...clockSamples(cell, 'wall'),
      memcpyRatio: memcpyRatiosOf(cell),
      ...clockSamples(cell, 'simulated'),
    },
  }),
  checks: migrateChecks,
  statuses: (cells) =>
    cells.map((cell) => ({ name: migrateKey(cell), status: cell.status, detail: cell.reason })),
  blocks: (cells) => [
    ...cells.flatMap(matrices),
    ...summaryTable(cells),
    ...wasteTable(cells),
    ...clocks.flatMap((clock) => phaseBlocks(cells, clock)),
  ],
  results: (cell) => cell.flows.map((flow) => flowResult(cell, flow)),
};

function clockMetrics(clock: ClockName): Metrics {
  const metric = (unit: Metric['unit'], what: string): Metric => ({ unit, clock, better: 'higher', what });
  return {
    [metricName(clock, 'bandwidth')]: metric('B/s', 'bytes that arrived, of one pair'),
    [metricName(clock, 'sum')]: metric(
      'B/s',
      'bytes that arrived, of all pairs: of those that move at once until the last has ended, of others the sum of their rates',
    ),
    [metricName(clock, 'pages')]: metric('/s', 'pages of 4KiB that arrived, of one pair'),
    [metricName(clock, 'migrations')]: metric('/s', 'ranges that arrived, of one pair'),
    [metricName(clock, 'copyShare')]: {
      ...metric('plain', 'share of copying in the time of one migration'),
      better: 'neither',
    },
  };
}

/** Each sample once, however many pairs it was of. */
function memcpyRatiosOf(cell: MigrateCell): number[] {
  return groupsOf(cell).flatMap(([{ wall }]) => wall?.memcpyRatios ?? []);
}

function memcpyMetric(): Metric {
  const what = 'time of plain copies of as many bytes, on as many threads, over that of migration';
  return { unit: 'plain', clock: 'wall', better: 'higher', what };
}

function metricName(clock: ClockName, name: string): string {
  return clock === 'wall' ? name : `simulated${name[0].toUpperCase()}${name.slice(1)}`;
}

function clockSamples(cell: MigrateCell, clock: ClockName): Record<string, readonly number[]> {
  const all = cell.flows.flatMap((flow) => bandwidths(flow[clock]));
  const split = cell.phases[clock];
  return {
    [metricName(clock, 'bandwidth')]: all,
    [metricName(clock, 'sum')]: sumSamples(cell, clock),
    [metricName(clock, 'pages')]: all.map((speed) => speed / PAGE_BYTES),
    [metricName(clock, 'migrations')]: all.map((speed) => speed / migrationBytes(cell)),
    [metricName(clock, 'copyShare')]: split === null ? [] : [copyShareOf(split)],
  };
}

function migrationBytes({ sizeBytes, rangeBytes }: MigrateVariant): number {
  return Math.min(sizeBytes, rangeBytes);
}

function flowResult(cell: MigrateCell, flow: MigrateFlowResult): JsonObject {
  const { test, sizeBytes, rangeBytes, storm, joined, verified, status } = cell;
  const { source, destination, path, wall } = flow;
  return {
    name: `${migrateKey(cell)}.${source}-${destination}`,
    test,
    source,
    destination,
    path,
    sizeBytes,
    rangeBytes,
    storm,
    joined,
    wall: timesResult(cell, flow, 'wall'),
    // It compares wall times: where none were taken there is none.
    ...(wall === null ? {} : { memcpyRatio: median(wall.memcpyRatios) }),
    simulated: timesResult(cell, flow, 'simulated'),
    verified,
    status,
  };
}

function timesResult(cell: MigrateCell, flow: MigrateFlowResult, clock: ClockName): JsonObject | null {
  const times = flow[clock];
  if (times === null) return null;
  const groupRate = groupRateOf(cell, flow, clock);
  const { count, median: medianNs, min: minNs, max: maxNs, spread: spreadNs } = summaryOf(times.times);
  const bytesPerSecond = medianOrNull(bandwidths(times));
  const totals = cell.totals[clock];
  const split = cell.phases[clock];
  return {
    bytesPerSecond,
    ...(groupRate === null ? {} : { groupBytesPerSecond: groupRate }),
    pagesPerSecond: over(bytesPerSecond, PAGE_BYTES),
    migrationsPerSecond: over(bytesPerSecond, migrationBytes(cell)),
    medianNs,
    minNs,
    maxNs,
    spreadNs,
    samples: count,
    ...(clock === 'wall' ? warmupsResult(times) : {}),
    ...(totals === null ? {} : { totals: { ...totals } }),
    ...(split === null ? {} : { phasesNs: { ...split.phasesNs }, copyShare: copyShareOf(split) }),
  };
}

/** A single check: that all bytes are what they were, and in words whether all of them arrived. */
function migrateChecks(cells: readonly MigrateCell[]): CheckResult[] {
  const measured = cells.filter(({ status }) => status !== 'Waived');
  const wrong = measured.filter((cell) => !cell.verified || cell.status !== 'Passed');
  const counted = plural(measured.length, 'test');
  const waived = cells.length - measured.length;
  const detail =
    wrong.length === 0
      ? `${arrivalText(measured)}${waived === 0 ? '' : `, ${waived} waived`}`
      : `${formatCount(wrong.length)} of ${counted} failed, first ${migrateKey(wrong[0])}: ${wrong[0].reason}`;
  return [{ name: 'content', ok: wrong.length === 0, detail }];
}

/** What stays behind is no error where others are in the way; but then it did not arrive. */
function arrivalText(measured: readonly MigrateCell[]): string {
  const counted = plural(measured.length, 'test');
  const late = measured.filter((cell) => missingBytes(cell) > 0);
  if (late.length === 0) return `every byte arrived in ${counted}`;
  const missing = formatBytes(late.reduce((sum, cell) => sum + missingBytes(cell), 0));
  return `no byte changed in ${counted}, but ${missing} stayed behind in ${formatCount(late.length)} of them, first ${migrateKey(late[0])}`;
}

function missingBytes({ totals }: MigrateCell): number {
  return clocks.reduce((sum, clock) => {
    const of = totals[clock];
    return of === null ? sum : sum + of.wantedBytes - of.goodBytes;
  }, 0);
}

/** One for each clock; a line for what is waived or failed. */
function matrices(cell: MigrateCell): ReportBlock[] {
  const name = migrateKey(cell);
  if (cell.status !== 'Passed') return [{ lines: [`${name}: ${cell.status}: ${cell.reason}`] }];
  return clocks.flatMap((clock): ReportBlock[] => {
    const flows = cell.flows.filter((flow) => flow[clock] !== null);
    if (flows.length === 0) return [];
    const samples = Math.max(...flows.map((flow) => flow[clock]?.times.length ?? 0));
    const unit = clock === 'wall' ? `GB/s (wall), median of ${samples}` : 'GB/s (simulated)';
    const cells = flows.flatMap((flow) => {
      const bytesPerSecond = medianOrNull(bandwidths(flow[clock]));
      return bytesPerSecond === null ? [] : [{ ...flow, bytesPerSecond }];
    });
    if (cells.length === 0) return [{ lines: [`${name}: takes no ${clock} time`] }];
    const title = `${name}, source (row) to destination (column), ${unit}`;
    return [matrixBlock({ title, cells, sums: matrixSums(cell, clock) })];
  });
}

function summaryTable(cells: readonly MigrateCell[]): TableBlock[] {
  if (cells.length === 0) return [];
  const shown = clocks.filter((clock) =>
    cells.some(({ flows }) => flows.some((flow) => flow[clock] !== null)),
  );
  const columns = [
    left('Test'),
    left('Status'),
    right('Pairs'),
    ...shown.flatMap((clock) => summaryColumns[clock]),
  ];
  const rows = cells.map((cell) => [
    migrateKey(cell),
    cell.status,
    formatCount(cell.flows.length),
    ...shown.flatMap((clock) => (clock === 'wall' ? wallTexts(cell) : simulatedTexts(cell))),
  ]);
  return [{ columns, rows }];
}

const summaryColumns: Readonly<Record<ClockName, readonly Column[]>> = {
  wall: ['GB/s (wall)', '±', 'of memcpy (wall)', 'pages/s (wall)', 'migrations/s (wall)', 'warm-ups'].map(
    right,
  ),
  simulated: ['GB/s (simulated)', 'pages/s (simulated)', 'migrations/s (simulated)'].map(right),
};

function wallTexts(cell: MigrateCell): string[] {
  const speeds = cell.flows.flatMap(({ wall }) => bandwidths(wall));
  const ratios = memcpyRatiosOf(cell);
  const wall = medianOrNull(speeds);
  return [
    formatGBps(wall),
    speeds.length === 0 ? 'N/A' : formatShare(spreadOf(cell)),
    ratios.length === 0 ? 'N/A' : median(ratios).toFixed(2),
    rateText(wall, PAGE_BYTES),
    rateText(wall, migrationBytes(cell)),
    warmupsOf(cell),
  ];
}

function simulatedTexts(cell: MigrateCell): string[] {
  const simulated = medianOrNull(cell.flows.flatMap((flow) => bandwidths(flow.simulated)));
  return [formatGBps(simulated), rateText(simulated, PAGE_BYTES), rateText(simulated, migrationBytes(cell))];
}

/** Of the pair whose samples scatter most. */
function spreadOf({ flows }: MigrateCell): number {
  const spreads = flows.flatMap(({ wall }) => (wall === null ? [] : [relativeSpread(summaryOf(wall.times))]));
  return Math.max(0, ...spreads);
}

function medianOrNull(numbers: readonly number[]): number | null {
  return numbers.length === 0 ? null : median(numbers);
}

function over(amount: number | null, divisor: number): number | null {
  return amount === null ? null : amount / divisor;
}

function rateText(bytesPerSecond: number | null, bytes: number): string {
  return bytesPerSecond === null ? 'N/A' : formatRate(bytesPerSecond / bytes);
}

/** Most of all pairs. */
function warmupsOf({ flows }: MigrateCell): string {
  const walls = flows.flatMap(({ wall }) => (wall === null ? [] : [wall]));
  if (walls.length === 0) return 'N/A';
  return warmupsText({
    warmups: Math.max(...walls.map(({ warmups }) => warmups)),
    isSteady: walls.every(({ isSteady }) => isSteady),
  });
}

/** What was done in vain, where anything was. */
function wasteTable(cells: readonly MigrateCell[]): TableBlock[] {
  const rows = cells.flatMap((cell) =>
    clocks.flatMap((clock) => {
      const totals = cell.totals[clock];
      if (totals === null || wasQuiet(totals)) return [];
      const { goodBytes, rawBytes, retries, stayedBytes, givenUpBytes, failed, failedBytes, storms } = totals;
      return [
        [
          migrateKey(cell),
          clock,
          formatBytes(goodBytes),
          formatBytes(rawBytes),
          formatCount(retries),
          formatBytes(stayedBytes),
          formatBytes(givenUpBytes),
          formatCount(failed),
          formatBytes(failedBytes),
          formatCount(storms),
        ],
      ];
    }),
  );
  if (rows.length === 0) return [];
  const titles = [
    'Arrived',
    'Copied',
    'Retries',
    'Late',
    'Given up',
    'Aborted migrations',
    'their size',
    'Invalidations',
  ];
  return [{ columns: [left('All samples'), left('Clock'), ...titles.map(right)], rows }];
}

function wasQuiet({ wantedBytes, goodBytes, retries, failed, storms }: MigrateTotals): boolean {
  return goodBytes === wantedBytes && retries === 0 && failed === 0 && storms === 0;
}
