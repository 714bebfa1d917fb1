/** What `bench explore` says: schedules and steps in a second by number of workers, watched and not, and whether replays agree. */

import { summaryOf } from '../../base/statistics.js';
import type { ExploreBenchCell } from '../../explore/exploreBench.js';
import { left, right } from '../textTable.js';
import { formatCount, formatRate, plural } from '../units.js';
import type { BenchReport } from './benchReport.js';

export const exploreBenchReport: BenchReport<ExploreBenchCell> = {
  metrics: {
    schedules: { unit: '/s', clock: 'wall', better: 'higher', what: 'schedules of all workers together' },
    steps: { unit: '/s', clock: 'wall', better: 'higher', what: 'steps of all workers together' },
    stepsMean: { unit: 'plain', clock: 'count', better: 'neither', what: 'steps of one schedule' },
    scaling: { unit: 'plain', clock: 'wall', better: 'higher', what: 'schedules to those of one worker' },
  },
  measured: ({ jobs, checked, scheduleRates, stepRates, stepsMean, scaling }) => ({
    key: exploreBenchKey(jobs, checked),
    samples: { schedules: scheduleRates, steps: stepRates, stepsMean: [stepsMean], scaling: [scaling] },
  }),
  checks: (cells) => {
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
        detail:
          failures === 0 ? 'no schedule ended with a verdict' : `${plural(failures, 'block')} found one`,
      },
    ];
  },
  blocks: (cells) => {
    const columns = [
      left('Workers'),
      left('Checkers'),
      right('Schedules/s (wall)'),
      right('lowest'),
      right('highest'),
      right('Steps/s (wall)'),
      right('Steps each'),
      right('to 1 worker'),
    ];
    const rows = cells.map(({ jobs, checked, scheduleRates, stepRates, stepsMean, scaling }) => {
      const { median, min, max } = summaryOf(scheduleRates);
      return [
        String(jobs),
        checked ? 'all' : 'none',
        ...[median, min, max].map(formatRate),
        formatRate(summaryOf(stepRates).median),
        stepsMean.toFixed(1),
        scaling.toFixed(2),
      ];
    });
    return [{ columns, rows }];
  },
  results: ({ jobs, checked, scheduleRates, stepRates, stepsMean, scaling, replays }) => {
    const { count, median, min, max } = summaryOf(scheduleRates);
    const wall = {
      schedulesPerSecond: median,
      minPerSecond: min,
      maxPerSecond: max,
      stepsPerSecond: summaryOf(stepRates).median,
      samples: count,
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
  },
};

export function exploreBenchKey(jobs: number, checked: boolean): string {
  return `jobs${jobs}.${checked ? 'checked' : 'unchecked'}`;
}
