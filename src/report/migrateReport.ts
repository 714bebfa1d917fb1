/** What `bench migrate` prints: a matrix for each size and way between devices, the comparison with memcpy, the phases, a verdict. */

import type { MigrateCell, MigratePath } from '../simulation/benchMigrate.js';
import type { CheckResult } from '../simulation/runReport.js';
import type { ExecutorName } from '../simulation/simulationConfig.js';
import { type ClockName, clockOf } from './clock.js';
import type { Colors } from './colors.js';
import { sumOf } from './counterNames.js';
import { matrixText } from './matrix.js';
import { left, right, textTable } from './textTable.js';
import { formatBytes, formatCount, formatGBps, formatNs, plural } from './units.js';
import { type Verdict, verdictLine, verdictOf } from './verdict.js';

export interface MigrateContext {
  readonly colors: Colors;
  /** Chooses the clock of the matrices; tables have both. */
  readonly executor: ExecutorName;
  /** Ended by the user before all cells were measured. */
  readonly partial: boolean;
}

/** In the order in which they are printed. */
const paths: readonly MigratePath[] = ['ram-to-vram', 'vram-to-ram', 'peer', 'bounce'];

/** The cells of one way and size, whatever the pair. */
interface Group {
  readonly path: MigratePath;
  readonly sizeBytes: number;
  readonly cells: readonly MigrateCell[];
}

/** Ends with a newline. */
export function migrateReport(cells: readonly MigrateCell[], context: MigrateContext): string {
  const { colors, partial } = context;
  const sections = [
    ...matrices(cells, context),
    ...ratioTable(cells, context),
    ...phaseTable(cells, context),
    ...failedCells(cells, colors),
    verdictLine(migrateVerdict(cells, partial), colors),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** A single check: that all bytes arrived, everywhere. */
export function migrateChecks(cells: readonly MigrateCell[]): CheckResult[] {
  const wrong = cells.filter((cell) => !cell.verified || cell.status !== 'Passed');
  const counted = plural(cells.length, 'migration');
  const detail =
    wrong.length === 0
      ? `every byte arrived in ${counted}`
      : `${formatCount(wrong.length)} of ${counted} failed, first ${wrong[0].name}`;
  return [{ name: 'content', ok: wrong.length === 0, detail }];
}

export function migrateVerdict(cells: readonly MigrateCell[], partial: boolean): Verdict {
  const checks = cells.length === 0 ? [] : migrateChecks(cells);
  const verdict = verdictOf({
    outcome: partial ? 'interrupted' : 'completed',
    checks,
    workloads: [],
    failure: null,
  });
  if (checks.length === 0 || partial) return verdict;
  return { ...verdict, text: checks[0].detail };
}

function matrices(cells: readonly MigrateCell[], { colors, executor }: MigrateContext): string[] {
  const clock = clockOf(executor);
  const ways: readonly { title: string; paths: readonly MigratePath[] }[] = [
    { title: 'direct', paths: ['ram-to-vram', 'vram-to-ram', 'peer'] },
    { title: 'through RAM (bounce)', paths: ['bounce'] },
  ];
  return sizesOf(cells).flatMap((sizeBytes) =>
    ways.flatMap(({ title, paths }) => {
      const chosen = cells.filter((cell) => cell.sizeBytes === sizeBytes && paths.includes(cell.path));
      if (chosen.length === 0) return [];
      const measured = chosen.map((cell) => ({ ...cell, bytesPerSecond: bandwidthOf(cell, clock) }));
      const unit = clock === 'wall' ? `GB/s wall, median of ${samplesText(chosen)}` : 'GB/s simulated';
      const text = `migrate ${formatBytes(sizeBytes)} ${title}, source (row) to destination (column), ${unit}`;
      return [matrixText({ title: text, cells: measured }, colors)];
    }),
  );
}

function bandwidthOf(cell: MigrateCell, clock: ClockName): number | null {
  if (cell.status === 'Error') return null;
  return clock === 'wall' ? cell.wall.bytesPerSecond : (cell.simulated?.bytesPerSecond ?? null);
}

function samplesText(cells: readonly MigrateCell[]): string {
  return [...new Set(cells.map(({ wall }) => wall.samples))].join(' or ');
}

/** All pairs of a way and size together, beside a plain copy of as many bytes. */
function ratioTable(cells: readonly MigrateCell[], { colors }: MigrateContext): string[] {
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
    const bandwidths = pairs.map(({ wall }) => wall.bytesPerSecond);
    const ratios = pairs.map(({ memcpyRatio }) => memcpyRatio);
    const modelled = pairs.flatMap(({ simulated }) => (simulated === null ? [] : [simulated.bytesPerSecond]));
    return [
      path,
      formatBytes(sizeBytes),
      formatCount(pairs.length),
      formatGBps(median(bandwidths)),
      formatGBps(Math.min(...bandwidths)),
      formatGBps(Math.max(...bandwidths)),
      median(ratios).toFixed(2),
      Math.min(...ratios).toFixed(2),
      formatGBps(modelled.length === 0 ? null : median(modelled)),
    ];
  });
  return [textTable(columns, rows, { title: colors.bold }).join('\n')];
}

/** How long the parts of one migration take, mean over the pairs. Parts of migrations in flight overlap: they are no shares of a whole. */
function phaseTable(cells: readonly MigrateCell[], { colors }: MigrateContext): string[] {
  const names = [...new Set(cells.flatMap(({ phases }) => Object.keys(phases)))];
  const groups = groupsOf(cells);
  if (names.length === 0 || groups.length === 0) return [];
  const rows = groups.map(({ path, sizeBytes, cells: pairs }) => {
    const means = names.map((name) => sumOf(pairs.map(({ phases }) => phases[name] ?? 0)) / pairs.length);
    return [path, formatBytes(sizeBytes), ...means.map((ns) => (ns > 0 ? formatNs(ns) : '-'))];
  });
  const columns = [left('Mean time (wall)'), right('Size'), ...names.map(right)];
  return [textTable(columns, rows, { title: colors.bold }).join('\n')];
}

function failedCells(cells: readonly MigrateCell[], colors: Colors): string[] {
  const failed = cells.filter(({ verified, status }) => !verified || status === 'Error');
  if (failed.length === 0) return [];
  return [
    failed
      .map(
        ({ name, verified }) => `${colors.red('Error')} ${name}${verified ? '' : ': bytes did not arrive'}`,
      )
      .join('\n'),
  ];
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

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
