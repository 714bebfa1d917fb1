/** What `bench fault` says: faults per second and their latency by what they find, size of range and number under way, beside those of this machine's kernel. */

import { median } from '../../base/statistics.js';
import {
  type FaultCell,
  type FaultTimes,
  type FaultVariant,
  kernelRatioOf,
} from '../../simulation/bench/fault.js';
import type { ClockName } from '../clock.js';
import type { JsonObject } from '../json.js';
import type { ReportBlock, TableBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatBandwidth, formatBytes, formatCount, formatNs, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';
import type { Metric, Metrics } from './figure.js';
import { latencyTexts, latencyTitles, toldSample } from './latencyTexts.js';
import { noTimeLines, rateOf, rateSummary, ratesPerSecond, rateTexts } from './rates.js';
import { warmupsResult, warmupsText } from './warmups.js';

const NANOSECONDS_PER_SECOND = 1e9;
const clocks = ['wall', 'simulated'] as const satisfies readonly ClockName[];

export const faultReport: BenchReport<FaultCell> = {
  metrics: {
    ...clockMetrics('wall'),
    kernelRatio: {
      unit: 'plain',
      clock: 'wall',
      better: 'higher',
      what: "faults per second over this machine's own minor faults of 4KiB",
    },
    ...clockMetrics('simulated'),
    virtualRate: {
      unit: '/s',
      clock: 'wall',
      better: 'higher',
      needsBothClocks: true,
      what: 'faults that the simulator gets done on one thread, under virtual',
    },
  },
  measured: (cell) => {
    const ratio = kernelRatioOf(cell);
    const faults = cell.simulated?.faults ?? 0;
    return {
      key: faultKey(cell),
      samples: {
        ...clockSamples(cell, 'wall'),
        kernelRatio: ratio === null ? [] : [ratio],
        ...clockSamples(cell, 'simulated'),
        virtualRate: ratesPerSecond(faults, cell.virtualTimes),
      },
    };
  },
  checks: (cells) => {
    const wrong = cells.filter(({ status }) => status === 'Error');
    const measured = cells.filter(({ status }) => status !== 'Waived');
    const counted = plural(measured.length, 'measurement');
    const detail =
      wrong.length === 0
        ? `every fault was served and every page held what it must in ${counted}`
        : `${formatCount(wrong.length)} of ${counted} failed, first ${faultKey(wrong[0])}: ${wrong[0].reason}`;
    return [{ name: 'served', ok: wrong.length === 0, detail }];
  },
  statuses: (cells) =>
    cells.map((cell) => ({ name: faultKey(cell), status: cell.status, detail: cell.reason })),
  blocks: (cells) => [
    ...waivedLines(cells),
    ...clocks.flatMap((clock) => clockTable(cells, clock)),
    ...countLines(cells),
    ...noTimeLines(cells.filter(({ simulated }) => isInstant(simulated)).map(faultKey)),
    ...virtualTable(cells),
    ...kernelLines(cells),
  ],
  results: (cell) => [
    {
      name: faultKey(cell),
      pages: cell.pages,
      rangeBytes: cell.rangeBytes,
      outstanding: cell.outstanding,
      wall: timesResult(cell.wall, 'wall'),
      wallKernelRatio: kernelRatioOf(cell),
      simulated: timesResult(cell.simulated, 'simulated'),
      wallVirtualFaultsPerSecond: virtualRateOf(cell),
      status: cell.status,
    },
  ],
};

export function faultKey({ pages, rangeBytes, outstanding }: FaultVariant): string {
  return `${pages}.${formatBytes(rangeBytes)}.${outstanding}`;
}

function clockMetrics(clock: ClockName): Metrics {
  const latency = (what: string): Metric => ({ unit: 'ns', clock, better: 'lower', what });
  return {
    [named(clock, 'rate')]: { unit: '/s', clock, better: 'higher', what: 'faults served' },
    [named(clock, 'p50')]: latency('from the raising of a fault to its answer: the median'),
    [named(clock, 'p99')]: latency('the same: all but one of a hundred are faster'),
  };
}

function named(clock: ClockName, name: string): string {
  return clock === 'wall' ? name : `simulated${name[0].toUpperCase()}${name.slice(1)}`;
}

function clockSamples(cell: FaultCell, clock: ClockName): Record<string, readonly number[]> {
  const times = cell[clock];
  if (times === null) return {};
  return {
    [named(clock, 'rate')]: ratesOf(times),
    [named(clock, 'p50')]: [times.latency.p50Ns],
    [named(clock, 'p99')]: toldSample(times.latency.p99Ns),
  };
}

function ratesOf({ faults, times }: FaultTimes): number[] {
  return ratesPerSecond(faults, times);
}

/** All ranges that a sample touches have moved at its end, whether each for a fault of its own or ahead of it. */
function movedPerSecond({ rangeBytes }: FaultCell, { ranges, times }: FaultTimes): number | null {
  return rateOf(ranges * rangeBytes, median(times));
}

function virtualRateOf({ virtualTimes, simulated }: FaultCell): number | null {
  if (virtualTimes.length === 0 || simulated === null) return null;
  return rateOf(simulated.faults, median(virtualTimes));
}

function timesResult(times: FaultTimes | null, clock: ClockName): JsonObject | null {
  if (times === null) return null;
  const { count, median: faultsPerSecond, min, max, spread } = rateSummary(ratesOf(times));
  return {
    faultsPerSecond,
    minPerSecond: min,
    maxPerSecond: max,
    spreadPerSecond: spread,
    samples: count,
    rangesPerSample: times.ranges,
    faultsPerSample: times.faults,
    latency: { ...times.latency },
    ...(clock === 'wall' ? warmupsResult(times) : {}),
  };
}

function clockTable(cells: readonly FaultCell[], clock: ClockName): TableBlock[] {
  const measured = cells.flatMap((cell) => {
    const times = cell[clock];
    return times === null ? [] : [{ cell, times }];
  });
  if (measured.length === 0) return [];
  const titles = [`faults/s (${clock})`, '±', ...latencyTitles, 'moved/s'];
  const isWall = clock === 'wall';
  const rows = measured.map(({ cell, times }) => {
    const rates = ratesOf(times);
    const moved = movedPerSecond(cell, times);
    return [
      cell.pages,
      formatBytes(cell.rangeBytes),
      String(cell.outstanding),
      ...rateTexts(rates),
      ...latencyTexts(times.latency),
      // Nothing moves for the others, and of holes the driver makes smaller ranges than were asked for.
      cell.pages !== 'migrate' ? '-' : moved === null ? 'N/A' : formatBandwidth(moved),
      ...(isWall ? [warmupsText(times)] : []),
    ];
  });
  const title = `GPU faults, latency from the raising of a fault to its answer (${clock})`;
  const all = isWall ? [...titles, 'warm-ups'] : titles;
  const columns = [left('Pages'), right('Range'), right('Outstanding'), ...all.map(right)];
  return [{ title, columns, rows }];
}

function isInstant(times: FaultTimes | null): boolean {
  return times !== null && ratesOf(times).length === 0;
}

/** Where not every range that was touched was one fault. */
function countLines(cells: readonly FaultCell[]): ReportBlock[] {
  const lines = clocks.flatMap((clock) =>
    cells.flatMap((cell) => {
      const times = cell[clock];
      if (times === null || times.faults === times.ranges) return [];
      const faults = formatCount(Math.round(times.faults));
      return [
        `${faultKey(cell)} (${clock}): ${faults} faults for the ${plural(times.ranges, 'range')} that a sample touches`,
      ];
    }),
  );
  return lines.length === 0 ? [] : [{ lines }];
}

/** How fast the simulator is where it runs all actors on one thread. */
function virtualTable(cells: readonly FaultCell[]): ReportBlock[] {
  const rates = cells.flatMap((cell) => {
    const rate = virtualRateOf(cell);
    return rate === null
      ? []
      : [[cell.pages, formatBytes(cell.rangeBytes), String(cell.outstanding), formatCount(rate)]];
  });
  if (rates.length === 0) return [];
  const columns = [
    left('Pages'),
    right('Range'),
    right('Outstanding'),
    right('faults/s under virtual (wall)'),
  ];
  return [{ columns, rows: rates }];
}

function waivedLines(cells: readonly FaultCell[]): ReportBlock[] {
  const lines = cells
    .filter(({ status }) => status !== 'Passed')
    .map((cell) => `${faultKey(cell)}: ${cell.status}: ${cell.reason}`);
  return lines.length === 0 ? [] : [{ lines }];
}

function kernelLines(cells: readonly FaultCell[]): ReportBlock[] {
  const kernel = cells.find((cell) => cell.kernel !== null)?.kernel ?? null;
  if (kernel === null) return [];
  if (kernel.times.length === 0)
    return [{ lines: [`Minor faults of this machine's kernel: skipped, ${kernel.reason}`] }];
  const ns = median(kernel.times);
  const rate = formatCount(NANOSECONDS_PER_SECOND / ns);
  const head = `Minor faults of this machine's kernel, 4KiB, one thread: ${rate}/s, ${formatNs(ns)} each (wall)`;
  const best = cells.filter(({ pages, rangeBytes }) => pages === 'present' && rangeBytes === 4096);
  const ratios = best.flatMap((cell) => {
    const ratio = kernelRatioOf(cell);
    return ratio === null ? [] : [`  ${faultKey(cell)}: ${ratio.toFixed(2)} of it`];
  });
  return [{ lines: [head, ...ratios] }];
}
