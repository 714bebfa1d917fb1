/** What `bench mirror` prints: a row for each access, number of devices and layout, and what one HMM fault for all saves and costs. */

import type { MirrorCell } from '../simulation/benchMirror.js';
import type { CheckResult } from '../simulation/runReport.js';
import type { Colors } from './colors.js';
import { left, right, textTable } from './textTable.js';
import { formatBytes, formatCount, formatNs, plural } from './units.js';
import { type Verdict, verdictLine, verdictOf } from './verdict.js';

/** Where the saving is promised. */
const PROMISED_DEVICES = 8;
const PROMISED_SHARE = 1 / 6;

/** Ends with a newline. */
export function mirrorReport(cells: readonly MirrorCell[], partial: boolean, colors: Colors): string {
  const blocks = [...new Set(cells.map(({ access }) => access))].flatMap((access) => {
    const rows = cells.filter((cell) => cell.access === access);
    const title =
      access === 'shared' ? 'Every device loads all of the buffer' : 'Each device loads a part of its own';
    return [
      [`${title} (counts of the model)`, ...countTable(rows, colors)].join('\n'),
      timeTable(rows, colors),
    ];
  });
  const saved = savings(cells);
  const notes = saved.length === 0 ? [] : [saved.join('\n')];
  return `${[...blocks, ...notes, verdictLine(mirrorVerdict(cells, partial), colors)].join('\n\n')}\n`;
}

function countTable(cells: readonly MirrorCell[], colors: Colors): string[] {
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
  return textTable([right('Devices'), left('Layout'), ...titles.map(right)], rows, { title: colors.bold });
}

function timeTable(cells: readonly MirrorCell[], colors: Colors): string {
  const clocks = cells.some(({ wall }) => wall !== null) ? ['simulated', 'wall'] : ['simulated'];
  const parts = ['First access', 'Invalidation', 'Access again'];
  const titles = clocks.flatMap((clock) => parts.map((part) => `${part} (${clock})`));
  const rows = cells.map((cell) => [
    ...headOf(cell),
    ...[cell.simulated, ...(clocks.length === 2 ? [cell.wall] : [])].flatMap((times) =>
      times === null
        ? parts.map(() => '-')
        : [times.firstAccessNs, times.invalidateNs, times.againNs].map((ns) => formatNs(ns)),
    ),
  ]);
  return textTable([right('Devices'), left('Layout'), ...titles.map(right)], rows, {
    title: colors.bold,
  }).join('\n');
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

/** Against 1:1, the walks; against N:1 as it is, the DMA maps that nobody uses. */
function savings(cells: readonly MirrorCell[]): string[] {
  return cells
    .filter(({ layout, devices }) => layout === 'n1-shared-fault' && devices > 1)
    .flatMap((cell) => {
      const alone = find(cells, cell, 'one-to-one');
      if (alone === undefined) return [];
      const share = (cell.hmmPages / alone.hmmPages).toFixed(3);
      const cost =
        cell.dmaMapsUnused === 0
          ? 'no DMA map is for nothing'
          : `${formatCount(cell.dmaMapsUnused)} of ${formatCount(cell.dmaMaps)} DMA maps are for nothing`;
      return [
        `${cell.devices} devices, ${cell.access}: one HMM fault for all walks ${share} of the pages of 1:1; ${cost}`,
      ];
    });
}

export function mirrorChecks(cells: readonly MirrorCell[]): CheckResult[] {
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

export function mirrorVerdict(cells: readonly MirrorCell[], partial: boolean): Verdict {
  const checks = cells.length === 0 ? [] : mirrorChecks(cells);
  const outcome = partial ? 'interrupted' : 'completed';
  const verdict = verdictOf({ outcome, checks, workloads: [], failure: null });
  return checks.length === 0 || partial || !verdict.ok
    ? verdict
    : { ...verdict, text: checks.map(({ detail }) => detail).join('; ') };
}
