/** Invalidations on the modelled machine: each event reaches all devices; how fast is not for a test to say. */

import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { configDir } from '../../../src/scenario/presets.js';
import { invalidateEvents, runBenchInvalidate } from '../../../src/simulation/bench/invalidate.js';

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
