/** What `bench invalidate` says: how long an invalidation takes until the last device has acknowledged it, and where that time goes. */

import { median } from '../../base/statistics.js';
import type {
  InvalidateCell,
  InvalidateTimes,
  InvalidateVariant,
} from '../../simulation/bench/invalidate.js';
import type { ClockName } from '../clock.js';
import type { JsonObject } from '../json.js';
import type { ReportBlock, TableBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatBytes, formatCount, formatNs, formatShare, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';
import type { Metric, Metrics } from './figure.js';
import { latencyTexts, latencyTitles, toldSample } from './latencyTexts.js';
import { warmupsResult, warmupsText } from './warmups.js';

const clocks = ['wall', 'simulated'] as const satisfies readonly ClockName[];

export const invalidateReport: BenchReport<InvalidateCell> = {
  metrics: { ...clockMetrics('wall'), ...clockMetrics('simulated') },
  measured: (cell) => ({
    key: invalidateKey(cell),
    samples: { ...clockSamples(cell.wall, 'wall'), ...clockSamples(cell.simulated, 'simulated') },
  }),
  checks: (cells) => {
    const wrong = cells.filter(({ status }) => status === 'Error');
    const counted = plural(cells.length, 'measurement');
    const detail =
      wrong.length === 0
        ? `every page held what it must after its invalidations in ${counted}`
        : `${formatCount(wrong.length)} of ${counted} failed, first ${invalidateKey(wrong[0])}: ${wrong[0].reason}`;
    return [{ name: 'content', ok: wrong.length === 0, detail }];
  },
  statuses: (cells) =>
    cells.map((cell) => ({ name: invalidateKey(cell), status: cell.status, detail: cell.reason })),
  blocks: (cells) =>
    clocks.flatMap((clock) => [...latencyTable(cells, clock), ...perDeviceLines(cells, clock)]),
  results: (cell) => {
    const { event, spanBytes, devices, rate, overlap, status } = cell;
    const head = { name: invalidateKey(cell), event, spanBytes, devices, rate, overlap };
    return [
      {
        ...head,
        wall: timesResult(cell.wall, 'wall'),
        simulated: timesResult(cell.simulated, 'simulated'),
        status,
      },
    ];
  },
};

export function invalidateKey({ event, spanBytes, devices, rate, overlap }: InvalidateVariant): string {
  const pace = rate === 0 ? '' : `.${rate}-per-second`;
  return `${event}.${formatBytes(spanBytes)}.${devices}${pace}${overlap === null ? '' : `.${overlap}-percent`}`;
}

function clockMetrics(clock: ClockName): Metrics {
  const metric = (what: string): Metric => ({ unit: 'ns', clock, better: 'lower', what });
  return {
    [named(clock, 'p50')]: metric(
      'from the start of an invalidation to the last acknowledgement: the median',
    ),
    [named(clock, 'p99')]: metric('the same: all but one of a hundred are faster'),
    [named(clock, 'p999')]: metric('the same: all but one of a thousand are faster'),
    [named(clock, 'call')]: metric('the call as the program sees it'),
  };
}

function named(clock: ClockName, name: string): string {
  return clock === 'wall' ? name : `simulated${name[0].toUpperCase()}${name.slice(1)}`;
}

function clockSamples(times: InvalidateTimes | null, clock: ClockName): Record<string, readonly number[]> {
  if (times === null) return {};
  const { p50Ns, p99Ns, p999Ns } = times.latency;
  return {
    [named(clock, 'p50')]: [p50Ns],
    [named(clock, 'p99')]: toldSample(p99Ns),
    [named(clock, 'p999')]: toldSample(p999Ns),
    [named(clock, 'call')]: times.calls,
  };
}

function timesResult(times: InvalidateTimes | null, clock: ClockName): JsonObject | null {
  if (times === null) return null;
  const { latency, calls, split } = times;
  return {
    ...latency,
    callNs: median(calls),
    samples: calls.length,
    partsNs: split === null ? null : { ...split.partsNs },
    ...(clock === 'wall' ? warmupsResult(times) : {}),
  };
}

function latencyTable(cells: readonly InvalidateCell[], clock: ClockName): TableBlock[] {
  const measured = cells.flatMap((cell) => {
    const times = cell[clock];
    return times === null ? [] : [{ cell, times }];
  });
  if (measured.length === 0) return [];
  const titles = [...latencyTitles, 'count', 'call', 'host', 'lock wait', 'devices'];
  const isWall = clock === 'wall';
  const rows = measured.map(({ cell, times }) => {
    const { latency, calls, split } = times;
    const parts =
      split === null
        ? ['-', '-', '-']
        : [split.partsNs.host, split.partsNs.lockWait, split.partsNs.devices].map(formatNs);
    return [
      cell.event,
      formatBytes(cell.spanBytes),
      String(cell.devices),
      cell.rate === 0 ? 'most' : String(cell.rate),
      cell.overlap === null ? '-' : formatShare(cell.overlap / 100),
      ...latencyTexts(latency),
      formatCount(latency.count),
      formatNs(median(calls)),
      ...parts,
      ...(isWall ? [warmupsText(times)] : []),
    ];
  });
  const columns = [
    left('Event'),
    right('Span'),
    right('Devices'),
    right('Rate'),
    right('Overlap'),
    ...titles.map(right),
    ...(isWall ? [right('warm-ups')] : []),
  ];
  const title = `Invalidations, from the start to the last acknowledgement, and the mean parts of the middle half (${clock})`;
  return [{ title, columns, rows }];
}

/** What each device beyond the first adds, where several numbers of devices were measured. */
function perDeviceLines(cells: readonly InvalidateCell[], clock: ClockName): ReportBlock[] {
  const lines = cells.flatMap((cell) => {
    const one = cells.find((other) => other.devices === 1 && isSameBut(other, cell));
    const first = one?.[clock]?.latency.p50Ns;
    const all = cell[clock]?.latency.p50Ns;
    if (cell.devices === 1 || first === undefined || all === undefined || first === 0) return [];
    const each = (all - first) / (cell.devices - 1);
    return [{ key: invalidateKey(cell), added: addedText(each, first, clock) }];
  });
  if (lines.length === 0) return [];
  const texts = [...new Set(lines.map(({ added }) => added))].map((added) => {
    const keys = lines.filter((line) => line.added === added).map(({ key }) => key);
    const which =
      keys.length > 3 ? `${keys.slice(0, 2).join(', ')} and ${keys.length - 2} more` : keys.join(', ');
    return `${which}: each device beyond the first adds ${added}`;
  });
  return [{ lines: texts }];
}

function addedText(eachNs: number, firstNs: number, clock: ClockName): string {
  if (eachNs > 0) return `${formatNs(eachNs)} (${clock}), ${formatShare(eachNs / firstNs)} of the first`;
  if (eachNs < 0) return `less than the scatter (${clock})`;
  return clock === 'wall' ? 'nothing (wall)' : `nothing (simulated): ${SENDING_IS_FREE}`;
}

const SENDING_IS_FREE =
  'all are asked at once, and the cost model has no time of the host for the sending of each';

function isSameBut(one: InvalidateCell, other: InvalidateCell): boolean {
  return invalidateKey({ ...one, devices: 0 }) === invalidateKey({ ...other, devices: 0 });
}
