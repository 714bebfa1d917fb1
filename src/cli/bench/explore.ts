/** `svmsim bench explore`: how fast a search goes through schedules. */

import { benchExplore, type ExploreBenchCell, type ExploreBenchOptions } from '../../explore/exploreBench.js';
import { exploreBenchKey, exploreBenchReport } from '../../report/bench/explore.js';
import { formatRate } from '../../report/units.js';
import { readScenarioText } from '../../scenario/loadScenario.js';
import { scenarioPath } from '../scenarioPath.js';
import type { Benchmark } from './benchmark.js';

const SCENARIO = 'explore-share';
const JOBS = [1, 2] as const;
const REPLAYS = 1000;
const WARM_UP_MS = 30_000;

export const exploreBenchmark: Benchmark<ExploreBenchOptions, ExploreBenchCell> = {
  name: 'explore',
  what: 'schedules and steps in a second of a search with one and two workers, watched by all checkers and by none; replays',
  scenario: SCENARIO,
  takes: ['devices', 'layout'],
  onlyByName: true,
  samplesMax: 1000,
  report: exploreBenchReport,
  plan: ({ typed, config, samples }) => {
    const path = scenarioPath(typed.scenario ?? SCENARIO);
    const { devices, layout, set = [] } = typed;
    const named = [
      ...(devices === undefined ? [] : [`devices.count=${devices}`]),
      ...(layout === undefined ? [] : [`svm.layout=${layout}`]),
    ];
    const source = { kind: 'scenario', path, text: readScenarioText(path), set: [...set, ...named] } as const;
    const keys = JOBS.flatMap((jobs) => [true, false].map((checked) => exploreBenchKey(jobs, checked)));
    return {
      options: { source, jobs: JOBS, samples, replays: REPLAYS, warmUpMs: WARM_UP_MS },
      largest: config,
      keys,
    };
  },
  measure: (simulator, _config, { signal, onCell, ...options }) =>
    benchExplore(
      options,
      (jobs) => simulator.openExplorePool(jobs),
      signal ?? new AbortController().signal,
      onCell ?? (() => {}),
    ),
  progress: ({ jobs, checked, scheduleRates }) =>
    `${jobs} jobs, checkers ${checked ? 'all' : 'none'}: ${formatRate(scheduleRates[0])} schedules/s wall`,
};
