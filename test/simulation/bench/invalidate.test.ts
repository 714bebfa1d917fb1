/** Invalidations on the modelled machine: each event reaches all devices; how fast is not for a test to say. */

import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { configDir } from '../../../src/scenario/presets.js';
import { invalidateEvents, runBenchInvalidate } from '../../../src/simulation/bench/invalidate.js';
import { makeSimulation } from '../../../src/simulation/makeSimulation.js';

const config = loadScenario(`${configDir()}/bench-mirror.yaml`, { executor: 'virtual', set: ['ram=8MiB'] });
const clocks = { wall: false, simulated: true };

describe('bench invalidate', () => {
  it.each([1, 2, 3])('moves pages to the first of %i devices in every round', async (devices) => {
    const variant = { event: 'migrate', spanBytes: 4096, devices, rate: 0, overlap: null } as const;
    const [cell] = await runBenchInvalidate(config, { variants: [variant], samples: 3, clocks });
    const { calls = [], latency } = cell.simulated ?? {};
    expect(calls.length).toBeGreaterThan(2);
    expect(Math.max(...calls)).toBeLessThan(2 * Math.min(...calls));
    // Each is invalidated once for it; what makes the next round ready is not counted.
    expect(latency?.count).toBe(calls.length);
  });

  it('tells what waits for a lock from what the host does', async () => {
    const variant = { event: 'discard', spanBytes: 16_384, devices: 2, rate: 0, overlap: 100 } as const;
    const [cell] = await runBenchInvalidate(config, { variants: [variant], samples: 3, clocks });
    const { host, lockWait } = cell.simulated?.split?.partsNs ?? Object.create(null);
    expect(lockWait).toBeGreaterThan(0);
    // The model has no time for its work.
    expect(host).toBe(0);
  });

  it('invalidates a long span that migrates at once', async () => {
    const variant = { event: 'migrate', spanBytes: 2 ** 20, devices: 1, rate: 0, overlap: null } as const;
    const [cell] = await runBenchInvalidate(config, { variants: [variant], samples: 3, clocks });
    expect(cell.simulated?.latency.count).toBe(cell.simulated?.calls.length);
  });

  it('begins a round when its time has come, however long the one before took', async () => {
    const durationOf = async (samples: number): Promise<number> => {
      const workload = {
        kind: 'invalidate-bench',
        name: 'bench',
        event: 'protect',
        pages: 1,
        spanPages: 1,
        callers: [0],
        samples,
        periodNs: 1e6,
        warmUp: { roundsMin: 2, roundsMax: 2 },
      } as const;
      return (await makeSimulation({ ...config, workloads: [workload] }).run()).simulatedNs;
    };
    expect((await durationOf(22)) - (await durationOf(12))).toBe(10e6);
  });

  it('measures every event until the last acknowledgement, and its parts', async () => {
    const variants = invalidateEvents.map((event) => ({
      event,
      spanBytes: 16_384,
      devices: 2,
      rate: 0,
      overlap: event === 'discard' ? 50 : null,
    }));
    const cells = await runBenchInvalidate(config, { variants, samples: 3, clocks });
    expect(cells.map(({ event, status, reason }) => [event, status, reason])).toEqual(
      invalidateEvents.map((event) => [event, 'Passed', '']),
    );
    for (const { event, simulated, wall } of cells) {
      expect(wall).toBeNull();
      if (simulated === null) throw new Error(`${event} was not measured`);
      const { latency, split, calls } = simulated;
      expect(latency.p50Ns).toBeGreaterThan(0);
      expect(latency.maxNs).toBeGreaterThanOrEqual(latency.p50Ns);
      // As many invalidations as calls, or more.
      expect(latency.count).toBeGreaterThanOrEqual(calls.length);
      const parts = Object.values(split?.partsNs ?? {}).reduce((sum, ns) => sum + ns, 0);
      expect(parts).toBeCloseTo(split?.wholeNs ?? Number.NaN, 6);
      expect(split?.partsNs.devices).toBeGreaterThan(0);
    }
  });
});
