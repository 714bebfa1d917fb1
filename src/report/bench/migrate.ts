/** What `bench migrate` prints: a matrix for each size and way between devices, the comparison with memcpy, the phases, a verdict. */

import { median, summaryOf } from '../../base/statistics.js';
import type { MigrateCell, MigratePath, MigrateTimes } from '../../simulation/bench/migrate.js';
import type { CheckResult } from '../../simulation/runReport.js';
import type { ClockName } from '../clock.js';
import { sumOf } from '../counterNames.js';
import type { JsonObject } from '../json.js';
import { matrixBlock } from '../matrix.js';
import type { ReportBlock, TableBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatBytes, formatCount, formatGBps, formatNs, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';

const NANOSECONDS_PER_SECOND = 1e9;

/** In the order in which they are printed. */
const paths: readonly MigratePath[] = ['ram-to-vram', 'vram-to-ram', 'peer', 'bounce'];

/** The cells of one way and size, whatever the pair. */
interface Group {
  readonly path: MigratePath;
  readonly sizeBytes: number;
  readonly cells: readonly MigrateCell[];
}

export const migrateReport: BenchReport<MigrateCell> = {
  metrics: {
    bandwidth: { unit: 'B/s', clock: 'wall', better: 'higher', what: 'bytes that arrived' },
    memcpyRatio: {
      unit: 'plain',
      clock: 'wall',
      better: 'higher',
      what: 'bandwidth over that of plain copies of the same size, made alternately',
    },
    simulatedBandwidth: {
      unit: 'B/s',
      clock: 'simulated',
      better: 'higher',
      what: 'bytes that arrived, by the cost model',
    },
  },
  measured: (cell) => ({
    key: migrateKey(cell),
    samples: {
      bandwidth: bandwidths(cell.wall),
      memcpyRatio: memcpyRatios(cell.wall),
      simulatedBandwidth: bandwidths(cell.simulated),
    },
  }),
  checks: migrateChecks,
  blocks: (cells) => [...matrices(cells), ...ratioTable(cells), ...phaseTable(cells), ...failedCells(cells)],
  result: (cell) => {
    const { name, source, destination, path, sizeBytes, verified, status } = cell;
    const wall = wallResult(cell);
    const simulated = cell.simulated === null ? null : { bytesPerSecond: median(bandwidths(cell.simulated)) };
    const head = { name, source, destination, path, sizeBytes };
    return { ...head, wall, ...ratioResult(cell.wall), simulated, verified, status };
  },
};

/** One for each test and size; pairs are told apart by their own part of the name. */
export function migrateKey({
  path,
  source,
  destination,
  sizeBytes,
}: Pick<MigrateCell, 'path' | 'source' | 'destination' | 'sizeBytes'>): string {
  return `${path}.${formatBytes(sizeBytes)}.${source}-${destination}`;
}

function bandwidths(times: MigrateTimes | null): number[] {
  return times === null ? [] : times.times.map((ns) => (times.bytes / ns) * NANOSECONDS_PER_SECOND);
}

/** Of each sample and the copy that was made after it. */
function memcpyRatios(times: MigrateTimes | null): number[] {
  return times === null ? [] : times.copies.map((ns, i) => ns / times.times[i]);
}

function wallResult({ wall, phases }: MigrateCell): JsonObject | null {
  if (wall === null) return null;
  const { count, median: medianNs, min: minNs, max: maxNs } = summaryOf(wall.times);
  const bytesPerSecond = (wall.bytes / medianNs) * NANOSECONDS_PER_SECOND;
  return { bytesPerSecond, medianNs, minNs, maxNs, samples: count, phasesNs: { ...phases } };
}

/** It compares wall times: where none were taken there is none. */
function ratioResult(wall: MigrateTimes | null): JsonObject {
  return wall === null ? {} : { memcpyRatio: ratioOf(wall) };
}

function ratioOf({ times, copies }: MigrateTimes): number {
  return median(copies) / median(times);
}

/** A single check: that all bytes arrived, everywhere. */
function migrateChecks(cells: readonly MigrateCell[]): CheckResult[] {
  const wrong = cells.filter((cell) => !cell.verified || cell.status !== 'Passed');
  const counted = plural(cells.length, 'migration');
  const detail =
    wrong.length === 0
      ? `every byte arrived in ${counted}`
      : `${formatCount(wrong.length)} of ${counted} failed, first ${wrong[0].name}`;
  return [{ name: 'content', ok: wrong.length === 0, detail }];
}

function matrices(cells: readonly MigrateCell[]): TableBlock[] {
  const clock = cells.some(({ wall }) => wall !== null) ? 'wall' : 'simulated';
  const ways: readonly { title: string; paths: readonly MigratePath[] }[] = [
    { title: 'direct', paths: ['ram-to-vram', 'vram-to-ram', 'peer'] },
    { title: 'through RAM (bounce)', paths: ['bounce'] },
  ];
  return sizesOf(cells).flatMap((sizeBytes) =>
    ways.flatMap(({ title, paths }) => {
      const chosen = cells.filter((cell) => cell.sizeBytes === sizeBytes && paths.includes(cell.path));
      if (chosen.length === 0) return [];
      const measured = chosen.map((cell) => ({ ...cell, bytesPerSecond: medianBandwidth(cell, clock) }));
      const unit = clock === 'wall' ? `GB/s wall, median of ${samplesText(chosen)}` : 'GB/s simulated';
      const text = `migrate ${formatBytes(sizeBytes)} ${title}, source (row) to destination (column), ${unit}`;
      return [matrixBlock({ title: text, cells: measured })];
    }),
  );
}

function medianBandwidth(cell: MigrateCell, clock: ClockName): number | null {
  const measured = cell.status === 'Error' ? [] : bandwidths(cell[clock]);
  return measured.length === 0 ? null : median(measured);
}

function samplesText(cells: readonly MigrateCell[]): string {
  return [...new Set(cells.map(({ wall }) => wall?.times.length ?? 0))].join(' or ');
}

/** All pairs of a way and size together, beside a plain copy of as many bytes. */
function ratioTable(cells: readonly MigrateCell[]): TableBlock[] {
  const groups = groupsOf(cells);
  if (groups.length === 0) return [];
  const columns = [
    left('Path'),
    right('Size'),
    right('Pairs'),
    right('GB/s (wall)'),
    right('lowest'),
    right('highest'),
    right('of memcpy (wall)'),
    right('lowest'),
    right('GB/s (simulated)'),
  ];
  const rows = groups.map(({ path, sizeBytes, cells: pairs }) => {
    const speeds = pairs.flatMap((cell) => medianBandwidth(cell, 'wall') ?? []);
    const modelled = pairs.flatMap((cell) => medianBandwidth(cell, 'simulated') ?? []);
    const ratios = pairs.flatMap(({ wall }) => (wall === null ? [] : [ratioOf(wall)]));
    return [
      path,
      formatBytes(sizeBytes),
      formatCount(pairs.length),
      ...[median, least, most].map((of) => formatGBps(speeds.length === 0 ? null : of(speeds))),
      ...[median, least].map((of) => (ratios.length === 0 ? 'N/A' : of(ratios).toFixed(2))),
      formatGBps(modelled.length === 0 ? null : median(modelled)),
    ];
  });
  return [{ columns, rows }];
}

function least(numbers: readonly number[]): number {
  return Math.min(...numbers);
}

function most(numbers: readonly number[]): number {
  return Math.max(...numbers);
}

/** How long the parts of one migration take, mean over the pairs. Parts of migrations in flight overlap: they are no shares of a whole. */
function phaseTable(cells: readonly MigrateCell[]): TableBlock[] {
  const names = [...new Set(cells.flatMap(({ phases }) => Object.keys(phases)))];
  const groups = groupsOf(cells);
  if (names.length === 0 || groups.length === 0) return [];
  const rows = groups.map(({ path, sizeBytes, cells: pairs }) => {
    const means = names.map((name) => sumOf(pairs.map(({ phases }) => phases[name] ?? 0)) / pairs.length);
    return [path, formatBytes(sizeBytes), ...means.map((ns) => (ns > 0 ? formatNs(ns) : '-'))];
  });
  const columns = [left('Mean time (wall)'), right('Size'), ...names.map(right)];
  return [{ columns, rows }];
}

function failedCells(cells: readonly MigrateCell[]): ReportBlock[] {
  const failed = cells.filter(({ verified, status }) => !verified || status === 'Error');
  if (failed.length === 0) return [];
  const lines = failed.map(
    ({ name, verified }) => `Error ${name}${verified ? '' : ': bytes did not arrive'}`,
  );
  return [{ lines }];
}

/** Only of cells that were measured. */
function groupsOf(cells: readonly MigrateCell[]): Group[] {
  return paths.flatMap((path) =>
    sizesOf(cells).flatMap((sizeBytes) => {
      const chosen = cells.filter(
        (cell) => cell.path === path && cell.sizeBytes === sizeBytes && cell.status === 'Passed',
      );
      return chosen.length === 0 ? [] : [{ path, sizeBytes, cells: chosen }];
    }),
  );
}

function sizesOf(cells: readonly MigrateCell[]): number[] {
  return [...new Set(cells.map(({ sizeBytes }) => sizeBytes))].sort((a, b) => a - b);
}
