/** The look-up benchmark finds what it looks for; how long that takes is not for a test to say. */

import { describe, expect, it } from 'vitest';
import { lookupNames, runBenchLookup } from '../../../src/simulation/bench/lookup.js';
import { simulationConfig } from '../../report/fixtures.js';

const small = simulationConfig({ ramPages: 256, deviceCount: 1 });

describe('bench lookup', () => {
  it('measures each kind among each number of entries, and finds the right ones', async () => {
    const cells = await runBenchLookup(small, { entries: [10, 300], samples: 3 });
    expect(cells.map(({ name, entries }) => [name, entries])).toEqual(
      lookupNames.flatMap((name) => [
        [name, 10],
        [name, 300],
      ]),
    );
    for (const { verified, ratio, times, entries, warmups, isSteady } of cells) {
      expect(verified).toBe(true);
      expect(times).toHaveLength(3);
      expect(warmups).toBeGreaterThanOrEqual(8);
      if (!isSteady) expect(warmups).toBe(60);
      expect(entries > 10 || ratio === 1).toBe(true);
    }
  });

  it('ends with what it has when it is told to', async () => {
    const controller = new AbortController();
    const options = { entries: [10], samples: 3, signal: controller.signal };
    const cells = await runBenchLookup(small, { ...options, onCell: () => controller.abort() });
    expect(cells).toHaveLength(1);
  });
});
