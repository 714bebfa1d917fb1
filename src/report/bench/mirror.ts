/** What `bench mirror` says: a row for each access, number of devices and layout, and what one HMM fault for all saves and costs. */

import { median } from '../../base/statistics.js';
import type { MirrorCell, MirrorTimes } from '../../simulation/bench/mirror.js';
import type { CheckResult } from '../../simulation/runReport.js';
import type { ClockName } from '../clock.js';
import type { JsonObject } from '../json.js';
import type { TableBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatBytes, formatCount, formatNs, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';
import type { MeasuredCell, Metric, Metrics } from './figure.js';
import { warmupsResult, warmupsText } from './warmups.js';

/** Where the saving is promised. */
const PROMISED_DEVICES = 8;
const PROMISED_SHARE = 1 / 6;
/** Times that differ by less are the same in words. */
const NOTICED = 1.01;

const comparedTimes: readonly [what: string, timeOf: (times: MirrorTimes) => number][] = [
  ['first access', ({ firstAccessNs }) => firstAccessNs],
  ['invalidation', ({ invalidateNs }) => median(invalidateNs)],
  ['access again', ({ againNs }) => median(againNs)],
];

export const mirrorReport: BenchReport<MirrorCell> = {
  metrics: {
    hmmPages: counted('pages that walks of hmm_range_fault looked at'),
    callbacksPerInvalidation: counted('callbacks of interval notifiers'),
    dmaMaps: counted('pages mapped for DMA'),
    metadataBytes: { unit: 'B', clock: 'count', better: 'lower', what: 'the structures of the kernel' },
    ...timeMetrics('simulated'),
    ...timeMetrics('wall'),
  },
  measured: (cell) => ({
    key: mirrorKey(cell),
    samples: {
      hmmPages: [cell.hmmPages],
      callbacksPerInvalidation: [cell.callbacksPerInvalidation],
      dmaMaps: [cell.dmaMaps],
      metadataBytes: [cell.metadataBytes],
      ...timeSamples('simulated', cell.simulated),
      ...timeSamples('wall', cell.wall),
    },
  }),
  checks: mirrorChecks,
  blocks: (cells) => {
    const blocks = [...new Set(cells.map(({ access }) => access))].flatMap((access) => {
      const rows = cells.filter((cell) => cell.access === access);
      const title =
        access === 'shared' ? 'Every device loads all of the buffer' : 'Each device loads a part of its own';
      return [{ title: `${title} (counts of the model)`, ...countTable(rows) }, timeTable(rows)];
    });
    const saved = savings(cells);
    return [...blocks, ...(saved.length === 0 ? [] : [{ lines: saved }])];
  },
  results: (cell) => [
    {
      ...cell,
      simulated: cell.simulated === null ? null : timesResult(cell.simulated),
      wall: cell.wall === null ? null : { ...timesResult(cell.wall), ...warmupsResult(cell.wall) },
    },
  ],
};

export function mirrorKey({
  layout,
  devices,
  access,
}: Pick<MirrorCell, 'layout' | 'devices' | 'access'>): string {
  return `${layout}.${devices}.${access}`;
}

function counted(what: string): Metric {
  return { unit: 'plain', clock: 'count', better: 'lower', what };
}

function timeMetrics(clock: ClockName): Metrics {
  const metric = (what: string): Metric => ({ unit: 'ns', clock, better: 'lower', what });
  return {
    [`${clock}FirstAccess`]: metric('until every device has loaded all for the first time'),
    [`${clock}Invalidate`]: metric('one mprotect of the buffer'),
    [`${clock}Again`]: metric('until every device has all again'),
  };
}

function timeSamples(clock: ClockName, times: MirrorTimes | null): MeasuredCell['samples'] {
  if (times === null) return {};
  return {
    [`${clock}FirstAccess`]: [times.firstAccessNs],
    [`${clock}Invalidate`]: times.invalidateNs,
    [`${clock}Again`]: times.againNs,
  };
}

/** By their medians. */
function timesResult({ firstAccessNs, invalidateNs, againNs }: MirrorTimes): JsonObject {
  return { firstAccessNs, invalidateNs: median(invalidateNs), againNs: median(againNs) };
}

function countTable(cells: readonly MirrorCell[]): TableBlock {
  const titles = [
    'HMM walks',
    'pages walked',
    'Notifiers',
    'Ranges',
    'Callbacks per invalidation',
    'DMA maps',
    'unused',
    'Metadata',
  ];
  const rows = cells.map((cell) => [
    ...headOf(cell),
    formatCount(cell.hmmWalks),
    formatCount(cell.hmmPages),
    formatCount(cell.notifiers),
    formatCount(cell.ranges),
    formatCount(cell.callbacksPerInvalidation),
    formatCount(cell.dmaMaps),
    formatCount(cell.dmaMapsUnused),
    formatBytes(cell.metadataBytes),
  ]);
  return { columns: [right('Devices'), left('Layout'), ...titles.map(right)], rows };
}

/** A clock that nobody asked for has no columns. */
function timeTable(cells: readonly MirrorCell[]): TableBlock {
  const clocks = (['simulated', 'wall'] as const).filter((clock) =>
    cells.some((cell) => cell[clock] !== null),
  );
  const parts = ['First access', 'Invalidation', 'Access again'];
  const titles = clocks.flatMap((clock) => parts.map((part) => `${part} (${clock})`));
  const hasWall = clocks.includes('wall');
  const rows = cells.map((cell) => [
    ...headOf(cell),
    ...clocks.flatMap((clock) => timesText(cell[clock])),
    ...(hasWall ? [cell.wall === null ? '-' : warmupsText(cell.wall)] : []),
  ]);
  const all = hasWall ? [...titles, 'warm-ups'] : titles;
  return { columns: [right('Devices'), left('Layout'), ...all.map(right)], rows };
}

function timesText(times: MirrorTimes | null): string[] {
  if (times === null) return ['-', '-', '-'];
  return [times.firstAccessNs, median(times.invalidateNs), median(times.againNs)].map(formatNs);
}

function headOf({ devices, layout }: MirrorCell): [string, string] {
  return [String(devices), layout];
}

function find(
  cells: readonly MirrorCell[],
  like: MirrorCell,
  layout: MirrorCell['layout'],
): MirrorCell | undefined {
  return cells.find(
    (cell) => cell.devices === like.devices && cell.access === like.access && cell.layout === layout,
  );
}

/** Against 1:1: the share of the walks, and all that is more. */
function savings(cells: readonly MirrorCell[]): string[] {
  return cells
    .filter(({ layout, devices }) => layout === 'n1-shared-fault' && devices > 1)
    .flatMap((cell) => {
      const alone = find(cells, cell, 'one-to-one');
      if (alone === undefined) return [];
      const share = (cell.hmmPages / alone.hmmPages).toFixed(3);
      const costs = costsOf(cell, alone);
      return [
        `${cell.devices} devices, ${cell.access}: one HMM fault for all walks ${share} of the pages of 1:1; ` +
          (costs.length === 0 ? 'nothing costs more' : `it costs ${costs.join(', ')}`),
      ];
    });
}

/** What one HMM fault for all has more of than 1:1, or takes longer for on the model's clock, which does not scatter. */
function costsOf(cell: MirrorCell, alone: MirrorCell): string[] {
  const costs: string[] = [];
  if (cell.dmaMapsUnused > 0)
    costs.push(`${formatCount(cell.dmaMapsUnused)} of ${formatCount(cell.dmaMaps)} DMA maps for nothing`);
  if (cell.metadataBytes > alone.metadataBytes)
    costs.push(
      `${formatBytes(cell.metadataBytes)} of metadata instead of ${formatBytes(alone.metadataBytes)}`,
    );
  for (const [what, timeOf] of comparedTimes) {
    if (cell.simulated === null || alone.simulated === null) continue;
    const [ours, theirs] = [timeOf(cell.simulated), timeOf(alone.simulated)];
    if (ours > theirs * NOTICED)
      costs.push(`${what} in ${formatNs(ours)} instead of ${formatNs(theirs)} (simulated)`);
  }
  return costs;
}

function mirrorChecks(cells: readonly MirrorCell[]): CheckResult[] {
  const wrong = cells.filter(({ verified }) => !verified).map(({ name }) => name);
  const counted = plural(cells.length, 'measurement');
  const content = {
    name: 'content',
    ok: wrong.length === 0,
    detail:
      wrong.length === 0 ? `every load and every check held in ${counted}` : `not in ${wrong.join(', ')}`,
  };
  return [content, ...promised(cells)];
}

/** The saving, where it can be told. */
function promised(cells: readonly MirrorCell[]): CheckResult[] {
  return cells
    .filter(({ layout, devices }) => layout === 'n1-shared-fault' && devices === PROMISED_DEVICES)
    .filter(({ access }) => access === 'shared')
    .flatMap((cell) => {
      const alone = find(cells, cell, 'one-to-one');
      if (alone === undefined) return [];
      const share = cell.hmmPages / alone.hmmPages;
      const detail = `${formatCount(cell.hmmPages)} pages walked at ${PROMISED_DEVICES} devices, ${share.toFixed(3)} of the ${formatCount(alone.hmmPages)} of 1:1`;
      return [{ name: 'HMM walks', ok: share <= PROMISED_SHARE, detail }];
    });
}
