/** What `bench explore` says of the catalogue of bugs: whether each is found in time, and how small its failure becomes. */

import { summaryOf } from '../../base/statistics.js';
import { type CatalogueCell, HUNT_LIMITS, type Shrinking } from '../../explore/catalogueBench.js';
import type { CheckResult } from '../../simulation/runReport.js';
import type { JsonObject } from '../json.js';
import type { ReportBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatCount, plural } from '../units.js';
import type { Metrics } from './figure.js';

/** Of the steps of what was found, the median that may be left; and the preemptions that any may have. */
const STEPS_LEFT_MOST = 0.4;
const PREEMPTIONS_MOST = 3;

export const catalogueMetrics: Metrics = {
  toFind: { unit: 'plain', clock: 'count', better: 'lower', what: 'schedules until a bug was found' },
  stepsLeft: { unit: 'plain', clock: 'count', better: 'lower', what: 'part of the steps left by shrinking' },
  preemptions: { unit: 'plain', clock: 'count', better: 'lower', what: 'preemptions left by shrinking' },
};

export function catalogueSamples({ schedules, shrunk }: CatalogueCell): Record<string, number[] | null> {
  return {
    toFind: schedules === null ? null : [schedules],
    stepsLeft: shrunk === null ? null : [stepsLeft(shrunk)],
    preemptions: shrunk === null ? null : [shrunk.to.preemptions],
  };
}

export function catalogueChecks(cells: readonly CatalogueCell[]): CheckResult[] {
  const missed = cells.filter(
    ({ schedules, wallSeconds }) => schedules === null || wallSeconds > HUNT_LIMITS.seconds,
  );
  if (cells.length === 0) return [];
  const limits = `${formatCount(HUNT_LIMITS.schedules)} schedules and ${HUNT_LIMITS.seconds}s (wall)`;
  return [
    {
      name: 'catalogue',
      ok: missed.length === 0,
      detail:
        missed.length === 0
          ? `${plural(cells.length, 'bug')} found within ${limits} each`
          : `not found within ${limits}: ${missed.map(({ bug }) => bug).join(', ')}`,
    },
    ...shrinkingChecks(cells),
  ];
}

/** None where nothing was found to be made smaller. */
function shrinkingChecks(cells: readonly CatalogueCell[]): CheckResult[] {
  const all = shrunkOf(cells);
  if (all.length === 0) return [];
  const part = summaryOf(all.map(stepsLeft)).median;
  const preemptions = Math.max(...all.map(({ to }) => to.preemptions));
  return [
    {
      name: 'shrinking',
      ok: part <= STEPS_LEFT_MOST && preemptions <= PREEMPTIONS_MOST,
      detail: `after other work, shrinking leaves ${percent(part)} of the steps (median) and at most ${plural(preemptions, 'preemption')}`,
    },
  ];
}

export function catalogueBlocks(cells: readonly CatalogueCell[]): ReportBlock[] {
  if (cells.length === 0) return [];
  const columns = [
    left('Bug'),
    right('Schedules'),
    right('Seconds (wall)'),
    right('Alone, left'),
    right('Steps'),
    right('shrunk to'),
    right('left'),
    right('Preemptions'),
    right('shrunk to'),
    right('Operations'),
    right('shrunk to'),
  ];
  return [{ columns, rows: [...cells.map(row), ...medianRow(cells)] }];
}

function row({ bug, schedules, wallSeconds, shrunkAlone, shrunk }: CatalogueCell): string[] {
  const hunt = [bug, schedules === null ? 'not found' : formatCount(schedules), wallSeconds.toFixed(2)];
  if (shrunk === null) return [...hunt, '', '', '', '', '', '', '', ''];
  const { from, to } = shrunk;
  return [
    ...hunt,
    shrunkAlone === null ? '' : percent(stepsLeft(shrunkAlone)),
    formatCount(from.steps),
    formatCount(to.steps),
    percent(stepsLeft(shrunk)),
    formatCount(from.preemptions),
    formatCount(to.preemptions),
    formatCount(from.operations),
    formatCount(to.operations),
  ];
}

function medianRow(cells: readonly CatalogueCell[]): string[][] {
  const all = shrunkOf(cells);
  const alone = cells.flatMap(({ shrunkAlone }) => shrunkAlone ?? []);
  if (all.length === 0 || alone.length === 0) return [];
  const median = (values: readonly number[]): string => formatCount(summaryOf(values).median);
  return [
    [
      'median',
      median(cells.flatMap(({ schedules }) => (schedules === null ? [] : [schedules]))),
      summaryOf(cells.map(({ wallSeconds }) => wallSeconds)).median.toFixed(2),
      percent(summaryOf(alone.map(stepsLeft)).median),
      median(all.map(({ from }) => from.steps)),
      median(all.map(({ to }) => to.steps)),
      percent(summaryOf(all.map(stepsLeft)).median),
      median(all.map(({ from }) => from.preemptions)),
      median(all.map(({ to }) => to.preemptions)),
      median(all.map(({ from }) => from.operations)),
      median(all.map(({ to }) => to.operations)),
    ],
  ];
}

export function catalogueResults(cell: CatalogueCell): JsonObject[] {
  const { bug, schedules, wallSeconds, shrunkAlone, shrunk } = cell;
  return [
    {
      bug,
      schedules,
      wallSeconds,
      shrunkAlone: sizesOf(shrunkAlone),
      shrunk: sizesOf(shrunk),
    },
  ];
}

function sizesOf(shrunk: Shrinking | null): JsonObject | null {
  return shrunk === null ? null : { from: { ...shrunk.from }, to: { ...shrunk.to } };
}

function shrunkOf(cells: readonly CatalogueCell[]): Shrinking[] {
  return cells.flatMap(({ shrunk }) => (shrunk === null ? [] : [shrunk]));
}

function stepsLeft({ from, to }: Shrinking): number {
  return to.steps / from.steps;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(0)}%`;
}
