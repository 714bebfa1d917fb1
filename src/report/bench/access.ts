/** What `bench access` says: loads per second of a device, by where their translation is. */

import { median } from '../../base/statistics.js';
import type { AccessCell, AccessKind, AccessTimes, AccessVariant } from '../../simulation/bench/access.js';
import type { ClockName } from '../clock.js';
import type { JsonObject } from '../json.js';
import type { ReportBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatCount, formatNs, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';
import { noTimeLines, rateOf, rateSummary, ratesPerSecond, rateTexts } from './rates.js';
import { warmupsResult, warmupsText } from './warmups.js';

const NANOSECONDS_PER_SECOND = 1e9;

const titles: Readonly<Record<AccessKind, string>> = {
  tlb: 'in the TLB',
  'tlb-vram': 'in the TLB, data in VRAM',
  table: 'in the page table',
  miss: 'nowhere: a fault each',
};

export const accessReport: BenchReport<AccessCell> = {
  metrics: {
    rate: { unit: '/s', clock: 'wall', better: 'higher', what: 'loads of one device' },
    simulatedRate: { unit: '/s', clock: 'simulated', better: 'higher', what: 'loads of one device' },
  },
  measured: (cell) => ({
    key: accessKey(cell),
    samples: { rate: ratesOf(cell.wall), simulatedRate: ratesOf(cell.simulated) },
  }),
  checks: (cells) => {
    const wrong = cells.filter(({ status }) => status === 'Error');
    const measured = cells.filter(({ status }) => status !== 'Waived');
    const counted = plural(measured.length, 'measurement');
    const detail =
      wrong.length === 0
        ? `every load found what was stored in ${counted}`
        : `${formatCount(wrong.length)} of ${counted} failed, first ${accessKey(wrong[0])}: ${wrong[0].reason}`;
    return [{ name: 'content', ok: wrong.length === 0, detail }];
  },
  statuses: (cells) =>
    cells.map((cell) => ({ name: accessKey(cell), status: cell.status, detail: cell.reason })),
  blocks: (cells) => {
    const clocks = (['wall', 'simulated'] as const).filter((clock) =>
      cells.some((cell) => cell[clock] !== null),
    );
    const hasWall = clocks.includes('wall');
    const columns = [
      left('Translation'),
      right('Devices'),
      ...clocks.flatMap((clock) => [`loads/s and device (${clock})`, '±', `one every (${clock})`].map(right)),
      ...(hasWall ? [right('warm-ups')] : []),
    ];
    const instant = cells.filter(({ simulated }) => simulated !== null && ratesOf(simulated).length === 0);
    const shown = cells.filter((cell) => clocks.some((clock) => cell[clock] !== null));
    const rows = shown.map((cell) => [
      titles[cell.kind],
      String(cell.devices),
      ...clocks.flatMap((clock) => timesText(cell[clock])),
      ...(hasWall ? [warmupsOf(cell.wall)] : []),
    ]);
    return [...waivedLines(cells), { columns, rows }, ...noTimeLines(instant.map(accessKey))];
  },
  results: (cell) => {
    const { kind, devices, status, virtualTimes } = cell;
    const virtualNs = virtualTimes.length === 0 ? null : median(virtualTimes);
    const loads = devices * (cell.simulated?.loads ?? 0);
    return [
      {
        name: accessKey(cell),
        kind,
        devices,
        wall: timesResult(cell.wall, 'wall'),
        simulated: timesResult(cell.simulated, 'simulated'),
        wallVirtualPerSecond: virtualNs === null ? null : rateOf(loads, virtualNs),
        status,
      },
    ];
  },
};

export function accessKey({ kind, devices }: AccessVariant): string {
  return `${kind}.${devices}`;
}

function waivedLines(cells: readonly AccessCell[]): ReportBlock[] {
  const lines = cells
    .filter(({ status }) => status !== 'Passed')
    .map((cell) => `${accessKey(cell)}: ${cell.status}: ${cell.reason}`);
  return lines.length === 0 ? [] : [{ lines }];
}

function ratesOf(times: AccessTimes | null): number[] {
  return times === null ? [] : ratesPerSecond(times.loads, times.times);
}

function warmupsOf(times: AccessTimes | null): string {
  return times === null ? 'N/A' : warmupsText(times);
}

function timesText(times: AccessTimes | null): string[] {
  if (times === null) return ['N/A', 'N/A', 'N/A'];
  const rates = ratesOf(times);
  return [...rateTexts(rates), rates.length === 0 ? 'N/A' : formatNs(NANOSECONDS_PER_SECOND / median(rates))];
}

function timesResult(times: AccessTimes | null, clock: ClockName): JsonObject | null {
  if (times === null) return null;
  const { count, median: loadsPerSecond, min, max, spread } = rateSummary(ratesOf(times));
  return {
    loadsPerSecond,
    minPerSecond: min,
    maxPerSecond: max,
    spreadPerSecond: spread,
    samples: count,
    ...(clock === 'wall' ? warmupsResult(times) : {}),
  };
}
