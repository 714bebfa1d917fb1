/** Every class of load under the virtual executor: exact contents, counts and latencies, the same for one seed. */

import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/scenario/loadScenario.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import type { RunReport } from '../../src/simulation/runReport.js';
import { loadClasses } from '../../src/workload/workloadConfig.js';

async function stress(loads: Readonly<Record<string, string>>, seed = 1, durationMs = 2): Promise<RunReport> {
  const config = loadScenario('config/stress.yaml', {
    executor: 'virtual',
    seed,
    devices: 2,
    durationMs,
    loads,
    verifiesLoads: true,
    set: ['workloads=[]', 'ram=32MiB', 'loads.size=64pages', 'loads.span=8pages'],
  });
  return makeSimulation(config).run({ verifyEveryMs: 1 });
}

describe('the scenario of stress', () => {
  it('has so little device memory that pages are evicted', async () => {
    // With fewer devices pages move away from each less often, and it shows sooner.
    const config = loadScenario('config/stress.yaml', { executor: 'virtual', devices: 2, durationMs: 10 });
    const { counters, checks } = await makeSimulation(config).run();
    expect(counters.svm_evict_count).toBeGreaterThan(0);
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
  });
});

describe('loads', () => {
  it.each(loadClasses)('%s leaves every byte as it must be', async (load) => {
    const report = await stress({ [load]: 'free', 'cpu-fault': '20000/s' }, 3);
    expect(report.failure).toBe(null);
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.workloads.filter(({ ok }) => !ok)).toEqual([]);
    const counted = report.loads.find((one) => one.load === load);
    const { operations, p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = counted ?? Object.create(null);
    expect(operations).toBeGreaterThan(0);
    const told = [p50Ns, p90Ns, p99Ns, p999Ns, maxNs].filter((ns) => ns !== null);
    expect(told).toEqual([...told].sort((a, b) => a - b));
  });

  it('come at their rates', async () => {
    const { loads } = await stress({ munmap: '2000/s', madvise: '500/s' }, 1, 4);
    const operations = Object.fromEntries(loads.map((one) => [one.load, one.operations]));
    expect(operations.munmap).toBeGreaterThanOrEqual(7);
    expect(operations.munmap).toBeLessThanOrEqual(9);
    expect(operations.madvise).toBeGreaterThanOrEqual(2);
    expect(operations.madvise).toBeLessThanOrEqual(3);
  });

  it('go the same way for the same seed', async () => {
    const loads = { munmap: 'free', fork: '2000/s' };
    const [once, again] = [await stress(loads, 7, 1), await stress(loads, 7, 1)];
    expect(again.loads).toEqual(once.loads);
    expect(again.steps).toBe(once.steps);
    expect((await stress(loads, 8, 1)).steps).not.toBe(once.steps);
  });
});
