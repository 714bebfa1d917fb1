/** GPU faults on the modelled machine: all are served, and latencies are in order; how fast is not for a test to say. */

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { configDir } from '../../../src/scenario/presets.js';
import {
  faultPages,
  faultRanges,
  kernelRatioOf,
  runBenchFault,
} from '../../../src/simulation/bench/fault.js';
import { measureKernelFaults } from '../../../src/simulation/bench/kernelFaults.js';
import { faultCell } from '../../cli/fakeHost.js';

const set = ['ram=4MiB', 'devices.vram=2MiB'];
const config = loadScenario(`${configDir()}/bench-migrate.yaml`, { executor: 'virtual', set });
const program = `${configDir()}/bench/minorFaults.c`;

describe('bench fault', () => {
  it('serves faults of every kind', async () => {
    const variants = faultPages.map((pages) => ({ pages, rangeBytes: 65_536, outstanding: 4 }));
    const clocks = { wall: false, simulated: true };
    const cells = await runBenchFault(config, { variants, samples: 3, clocks, kernelProgram: program });
    expect(cells.map(({ pages, status, reason }) => [pages, status, reason])).toEqual(
      faultPages.map((pages) => [pages, 'Passed', '']),
    );
    for (const { simulated, wall, kernel, virtualTimes } of cells) {
      expect([wall, kernel]).toEqual([null, null]);
      // Nobody asked for this machine's clock.
      expect(virtualTimes).toEqual([]);
      const { p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = simulated?.latency ?? Object.create(null);
      const latencies = [p50Ns, p90Ns, p99Ns, p999Ns, maxNs].filter((ns) => ns !== null);
      expect(latencies).toEqual([...latencies].sort((a, b) => a - b));
      expect(p50Ns).toBeGreaterThan(0);
    }
  });

  it('counts the faults that there were, of which ranges that come ahead of their touch have none', async () => {
    const variants = [{ pages: 'present', rangeBytes: 65_536, outstanding: 1 } as const];
    const options = { variants, samples: 3, clocks: { wall: false, simulated: true }, kernelProgram: null };
    const measured = async (prefetchPages: number) => {
      const machine = { ...config, svm: { ...config.svm, prefetchPages } };
      const [{ simulated }] = await runBenchFault(machine, options);
      if (simulated === null) throw new Error('nothing was measured');
      return simulated;
    };
    const plain = await measured(0);
    expect(plain.faults).toBe(plain.ranges);
    const ahead = await measured(512);
    expect(ahead.ranges).toBe(plain.ranges);
    expect(ahead.faults).toBeLessThan(ahead.ranges);
    expect(ahead.faults).toBeGreaterThan(0);
    // One at a time: they cannot have taken longer together than their samples.
    const total = ahead.times.reduce((sum, ns) => sum + ns, 0);
    expect(ahead.latency.count).toBe(ahead.faults * ahead.times.length);
    expect(ahead.latency.count * ahead.latency.meanNs).toBeLessThanOrEqual(total);
  });

  it('moves pages whatever the smallest range that migrates otherwise', async () => {
    const variants = [{ pages: 'migrate', rangeBytes: 65_536, outstanding: 1 } as const];
    const options = { variants, samples: 3, clocks: { wall: false, simulated: true }, kernelProgram: null };
    const machine = { ...config, svm: { ...config.svm, migratePagesMin: 512 } };
    const [cells, others] = [await runBenchFault(config, options), await runBenchFault(machine, options)];
    expect(others[0].simulated?.times).toEqual(cells[0].simulated?.times);
  });

  it('has at least as many ranges in a sample as faults under way', () => {
    const ranges = (rangeBytes: number, outstanding: number): number =>
      faultRanges(config, { pages: 'present', rangeBytes, outstanding });
    // All that the device's 2 MiB hold.
    expect(ranges(4096, 1)).toBe(512);
    expect(ranges(2 ** 21, 1)).toBe(1);
    expect(ranges(2 ** 21, 100)).toBe(100);
  });

  it('waives what does not fit into memory', async () => {
    const variants = [{ pages: 'present', rangeBytes: 2 ** 21, outstanding: 64 } as const];
    const clocks = { wall: false, simulated: true };
    const [cell] = await runBenchFault(config, { variants, samples: 3, clocks, kernelProgram: null });
    expect(cell).toMatchObject({ status: 'Waived', reason: 'needs more memory than the machine has' });
  });

  it("compares with the machine's own kernel", () => {
    // 10 us for a fault here, 5 us there.
    expect(kernelRatioOf(faultCell())).toBeCloseTo(0.5, 10);
    expect(kernelRatioOf(faultCell({ kernel: null }))).toBeNull();
    expect(kernelRatioOf(faultCell({ kernel: { times: [], reason: 'there is no gcc' } }))).toBeNull();
  });
});

describe('the faults of the machine', () => {
  it('come from a program that is part of the package', () => {
    expect(existsSync(program)).toBe(true);
  });

  it('are left out, in words, where there is no such program', async () => {
    const { times, reason } = await measureKernelFaults('/nowhere/minorFaults.c', 3);
    expect(times).toEqual([]);
    expect(reason).not.toBe('');
  });
});
