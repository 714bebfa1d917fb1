/** Made-up scenarios: each follows from its seed, is explored with disturbances that then stop, and can be had again alone. */

import { describe, expect, it } from 'vitest';
import { runBlock } from '../../src/explore/block.js';
import { disturbersOf } from '../../src/explore/disturbers.js';
import { subjectOf } from '../../src/explore/subject.js';
import { randomScenario } from '../../src/explore/swarm/randomScenario.js';
import {
  SCENARIO_SCHEDULES,
  Swarm,
  type SwarmLimits,
  type SwarmReport,
} from '../../src/explore/swarm/swarm.js';

const FREE = { devices: null, layout: null };

const LIMITS: SwarmLimits = {
  schedules: 3 * SCENARIO_SCHEDULES,
  seconds: Number.POSITIVE_INFINITY,
  seed: 6,
  strategy: null,
  checks: 'all',
  choices: { devices: 1, layout: null },
  set: [],
  bug: null,
  own: {},
  keepGoing: false,
};

function swarm(limits: Partial<SwarmLimits> = {}, jobs = 1): Promise<SwarmReport> {
  const run = new Swarm(
    { ...LIMITS, ...limits },
    async (block) => runBlock({ ...block, schedules: 2 }, true),
    () => 0,
  );
  return run.run(jobs, new AbortController().signal);
}

describe('a made-up scenario', () => {
  it('follows from its seed', () => {
    expect(randomScenario(7, FREE)).toEqual(randomScenario(7, FREE));
    expect(randomScenario(7, FREE).source.text).not.toBe(randomScenario(8, FREE).source.text);
  });

  it('is one that can run, whatever the seed, and has something that disturbs it', () => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { config } = subjectOf(randomScenario(seed, FREE).source);
      expect(disturbersOf(config).length).toBeGreaterThan(0);
      expect(config.workloads.length).toBeGreaterThan(disturbersOf(config).length);
      kinds.add(`${config.deviceCount} ${config.svm.layout}`);
      for (const { kind } of config.workloads) kinds.add(kind);
    }
    expect(kinds.size).toBe(3 * 3 + 3);
  });

  it('leaves alone what is not to be left to chance', () => {
    const { config } = subjectOf(randomScenario(1, { devices: 4, layout: 'n1' }).source);
    expect([config.deviceCount, config.svm.layout]).toEqual([4, 'n1']);
  });
});

describe('a swarm', () => {
  it('gives each scenario a seed, after which it can be had alone', async () => {
    const { scenarios } = await swarm();
    expect(scenarios.map(({ seed, finding }) => [seed, finding])).toEqual([
      [6, null],
      [7, null],
      [8, null],
    ]);
    const alone = await swarm({ seed: 7, schedules: SCENARIO_SCHEDULES });
    expect(alone.scenarios).toEqual([scenarios[1]]);
  });

  it('finds the same with two jobs', async () => {
    expect(await swarm({}, 2)).toEqual(await swarm());
  });

  it('tells its disturbances to stop: without that nothing would end', async () => {
    for (const { stepsMax } of (await swarm()).scenarios) expect(stepsMax).toBeGreaterThan(800);
  });

  it('finds a known bug, and stops there', async () => {
    const { scenarios } = await swarm({ bug: 'B107', choices: { devices: 2, layout: 'n1' } });
    expect(scenarios.filter(({ finding }) => finding !== null)).toEqual(scenarios.slice(-1));
  });
});
