/** `svmsim bench explore`: how fast a search goes through schedules, and what it makes of the catalogue of bugs. */

import { allBugs } from '../../bugs/catalogue.js';
import { benchCatalogue } from '../../explore/catalogueBench.js';
import { benchExplore, type ExploreBenchOptions } from '../../explore/exploreBench.js';
import { scenarioSource } from '../../explore/scenarioSource.js';
import { type ExploreCell, exploreBenchKey, exploreBenchReport } from '../../report/bench/explore.js';
import { formatRate, plural } from '../../report/units.js';
import { scenarioPath } from '../scenarioPath.js';
import type { Benchmark } from './benchmark.js';

const SCENARIO = 'explore-share';
const JOBS = [1, 2] as const;
const REPLAYS = 1000;
const WARM_UP_MS = 30_000;

export const exploreBenchmark: Benchmark<ExploreBenchOptions, ExploreCell> = {
  name: 'explore',
  what: 'schedules and steps in a second of a search with one and two workers, watched by all checkers and by none; replays; and for each bug of the catalogue schedules until it is found, and what shrinking leaves',
  scenario: SCENARIO,
  takes: ['devices', 'layout'],
  // A search has an executor and seeds of its own.
  without: ['executor', 'preset', 'seed'],
  onlyByName: true,
  samplesMax: 1000,
  report: exploreBenchReport,
  plan: ({ typed, config, samples }) => {
    const source = scenarioSource(scenarioPath(typed.scenario ?? SCENARIO), typed);
    const speeds = JOBS.flatMap((jobs) => [true, false].map((checked) => exploreBenchKey(jobs, checked)));
    const keys = [...speeds, ...allBugs.map(({ id }) => id)];
    return {
      options: { source, jobs: JOBS, samples, replays: REPLAYS, warmUpMs: WARM_UP_MS },
      largest: config,
      keys,
    };
  },
  measure: async (
    simulator,
    _config,
    { signal = new AbortController().signal, onCell = () => {}, ...options },
  ) => {
    const openPool = (jobs: number) => simulator.openExplorePool(jobs);
    const speeds = await benchExplore(options, openPool, signal, onCell);
    return [...speeds, ...(await benchCatalogue(allBugs, signal, onCell))];
  },
  progress: (cell) =>
    'bug' in cell
      ? `${cell.bug}: ${cell.schedules === null ? 'not found' : `${plural(cell.schedules, 'schedule')}, shrunk`}`
      : `${cell.jobs} jobs, checkers ${cell.checked ? 'all' : 'none'}: ${formatRate(cell.scheduleRates[0])} schedules/s wall`,
};
