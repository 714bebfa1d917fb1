/** What `bench explore` says: schedules and steps in a second by number of workers, watched and not, whether replays agree, and what becomes of the catalogue of bugs. */

import { summaryOf } from '../../base/statistics.js';
import type { CatalogueCell } from '../../explore/catalogueBench.js';
import type { ExploreBenchCell } from '../../explore/exploreBench.js';
import type { CheckResult } from '../../simulation/runReport.js';
import type { JsonObject } from '../json.js';
import type { ReportBlock } from '../reportBlock.js';
import { left, right } from '../textTable.js';
import { formatCount, formatRate, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';
import {
  catalogueBlocks,
  catalogueChecks,
  catalogueMetrics,
  catalogueResults,
  catalogueSamples,
} from './catalogue.js';
import type { MeasuredCell, Metrics } from './figure.js';
import { warmupsResult, warmupsText } from './warmups.js';

/** Of a search in itself, and then of the catalogue of bugs. */
export type ExploreCell = ExploreBenchCell | CatalogueCell;

export const exploreBenchReport: BenchReport<ExploreCell> = {
  metrics: { ...speedMetrics(), ...catalogueMetrics },
  measured: (cell) =>
    'bug' in cell ? { key: cell.bug, samples: catalogueSamples(cell) } : speedMeasured(cell),
  checks: (cells) => [...speedChecks(speedsOf(cells)), ...catalogueChecks(bugsOf(cells))],
  blocks: (cells) => [...speedBlocks(speedsOf(cells)), ...catalogueBlocks(bugsOf(cells))],
  results: (cell) => ('bug' in cell ? catalogueResults(cell) : speedResults(cell)),
};

function speedsOf(cells: readonly ExploreCell[]): ExploreBenchCell[] {
  return cells.flatMap((cell) => ('bug' in cell ? [] : [cell]));
}

function bugsOf(cells: readonly ExploreCell[]): CatalogueCell[] {
  return cells.filter((cell) => 'bug' in cell);
}

function speedMetrics(): Metrics {
  return {
    schedules: { unit: '/s', clock: 'wall', better: 'higher', what: 'schedules of all workers together' },
    steps: { unit: '/s', clock: 'wall', better: 'higher', what: 'steps of all workers together' },
    stepsMean: { unit: 'plain', clock: 'count', better: 'neither', what: 'steps of one schedule' },
    scaling: { unit: 'plain', clock: 'wall', better: 'higher', what: 'schedules to those of one worker' },
  };
}

function speedMeasured({
  jobs,
  checked,
  scheduleRates,
  stepRates,
  stepsMean,
  scaling,
}: ExploreBenchCell): MeasuredCell {
  return {
    key: exploreBenchKey(jobs, checked),
    samples: { schedules: scheduleRates, steps: stepRates, stepsMean: [stepsMean], scaling: [scaling] },
  };
}

function speedChecks(cells: readonly ExploreBenchCell[]): CheckResult[] {
  if (cells.length === 0) return [];
  const { replayed, agreed } = cells[0].replays;
  const failures = cells.reduce((sum, cell) => sum + cell.failures, 0);
  return [
    {
      name: 'replay',
      ok: agreed === replayed,
      detail: `${formatCount(agreed)} of ${plural(replayed, 'replay')} took the same steps to the same end`,
    },
    {
      name: 'verdicts',
      ok: failures === 0,
      detail: failures === 0 ? 'no schedule ended with a verdict' : `${plural(failures, 'block')} found one`,
    },
  ];
}

function speedBlocks(cells: readonly ExploreBenchCell[]): ReportBlock[] {
  if (cells.length === 0) return [];
  const columns = [
    left('Workers'),
    left('Checkers'),
    right('Schedules/s (wall)'),
    right('lowest'),
    right('highest'),
    right('Steps/s (wall)'),
    right('Steps each'),
    right('to 1 worker'),
    right('warm-up blocks'),
  ];
  const rows = cells.map((cell) => {
    const { jobs, checked, scheduleRates, stepRates, stepsMean, scaling } = cell;
    const { median, min, max } = summaryOf(scheduleRates);
    return [
      String(jobs),
      checked ? 'all' : 'none',
      ...[median, min, max].map(formatRate),
      formatRate(summaryOf(stepRates).median),
      stepsMean.toFixed(1),
      scaling.toFixed(2),
      warmupsText(cell),
    ];
  });
  return [{ columns, rows }];
}

function speedResults(cell: ExploreBenchCell): JsonObject[] {
  const { jobs, checked, scheduleRates, stepRates, stepsMean, scaling, replays } = cell;
  const { count, median, min, max } = summaryOf(scheduleRates);
  const wall = {
    schedulesPerSecond: median,
    minPerSecond: min,
    maxPerSecond: max,
    stepsPerSecond: summaryOf(stepRates).median,
    samples: count,
    ...warmupsResult(cell),
  };
  const { replayed, agreed } = replays;
  const checkers = checked ? 'all' : 'none';
  return [
    {
      jobs,
      checkers,
      wall,
      stepsPerSchedule: stepsMean,
      wallScaling: scaling,
      replayed,
      replaysAgreed: agreed,
    },
  ];
}

export function exploreBenchKey(jobs: number, checked: boolean): string {
  return `jobs${jobs}.${checked ? 'checked' : 'unchecked'}`;
}
