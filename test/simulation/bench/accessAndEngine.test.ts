/** Loads of devices, and the engine itself: that they do what is counted; how fast is not for a test to say. */

import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { configDir } from '../../../src/scenario/presets.js';
import { accessMachine, runBenchAccess } from '../../../src/simulation/bench/access.js';
import { engineParts, runBenchEngine } from '../../../src/simulation/bench/engine.js';
import { makeSimulation } from '../../../src/simulation/makeSimulation.js';

const config = loadScenario(`${configDir()}/bench-mirror.yaml`, { executor: 'virtual', set: ['ram=16MiB'] });

describe('bench access', () => {
  it('takes a fault for each load where nothing is translated', async () => {
    const machine = accessMachine(config, { kind: 'miss', devices: 1 }, 'virtual', 2);
    const { counters, workloads } = await makeSimulation(machine).run();
    const rounds = 2 + (workloads[0].counts?.warmups ?? Number.NaN);
    expect(counters.svm_pagefault_count).toBe(rounds * 1024);
  });

  it('waives what is not modelled', async () => {
    const variants = (['tlb', 'miss'] as const).map((kind) => ({ kind, devices: 2 }));
    const clocks = { wall: false, simulated: true };
    const [tlb, miss] = await runBenchAccess(config, { variants, samples: 3, clocks });
    expect(tlb).toMatchObject({ status: 'Waived', reason: 'is not modelled', wall: null });
    expect(miss).toMatchObject({ status: 'Passed', reason: '', simulated: { loads: 1024 } });
    expect(miss.simulated?.times).toHaveLength(3);
  });

  it.each([
    ['tlb', 'system', 16],
    ['tlb-vram', 'migrate', 128],
    ['table', 'system', 16],
  ] as const)(
    'loads for %s from where placement %s has put the data, of which a device can hold all',
    (kind, placement, vramPages) => {
      expect(config.device.tlbEntries).toBe(64);
      const small = { ...config, device: { ...config.device, vramPages: 16 } };
      const { svm, device, deviceCount } = accessMachine(small, { kind, devices: 3 }, 'threads', 5);
      expect({ placement: svm.placement, vramPages: device.vramPages, deviceCount }).toEqual({
        placement,
        vramPages,
        deviceCount: 3,
      });
    },
  );
});

describe('bench engine', () => {
  it('measures all its parts under virtual, and ends when it is told to', async () => {
    const options = { executors: ['virtual'], samples: 3 } as const;
    const cells = await runBenchEngine(config, options);
    expect(cells.map(({ part, status, times }) => [part, status, times.length])).toEqual(
      engineParts.map((part) => [part, 'Passed', 3]),
    );
    const controller = new AbortController();
    const cut = { ...options, signal: controller.signal, onCell: () => controller.abort() };
    expect(await runBenchEngine(config, cut)).toHaveLength(1);
  });
});
