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
    const { counts = {} } = workloads[0];
    const rounds = counts.warmups + Object.keys(counts).filter((name) => name.startsWith('sample')).length;
    expect(counters.svm_pagefault_count).toBe(rounds * 1024);
  });

  it('leaves what is in the memory of a device there, though others load as well', async () => {
    const machine = accessMachine(config, { kind: 'tlb-vram', devices: 3 }, 'virtual', 2);
    const [workload] = machine.workloads;
    if (workload.kind !== 'access-bench') throw new Error('another workload');
    const { counters, workloads } = await makeSimulation({
      ...machine,
      workloads: [{ ...workload, loads: 4096 }],
    }).run();
    expect(workloads[0].detail).toMatch(/4096 loads/);
    // Its part of 32 pages has come to each of the three, and stayed.
    expect(counters.svm_64K_migrate_count + counters.svm_4K_migrate_count).toBe(6);
    expect(counters.svm_pagefault_count).toBeLessThan(16);
  });

  it('waives what is not modelled', async () => {
    const variants = (['tlb', 'miss'] as const).map((kind) => ({ kind, devices: 2 }));
    const clocks = { wall: false, simulated: true };
    const [tlb, miss] = await runBenchAccess(config, { variants, samples: 3, clocks });
    expect(tlb).toMatchObject({ status: 'Waived', reason: 'is not modelled', wall: null });
    expect(miss).toMatchObject({ status: 'Passed', reason: '', simulated: { loads: 1024 } });
    // However many are asked for: modelled time is the same each time.
    expect(miss.simulated?.times).toHaveLength(5);
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
    for (const { warmups, isSteady } of cells) {
      expect(warmups).toBeGreaterThanOrEqual(6);
      if (!isSteady) expect(warmups).toBe(30);
    }
    const controller = new AbortController();
    const cut = { ...options, signal: controller.signal, onCell: () => controller.abort() };
    expect(await runBenchEngine(config, cut)).toHaveLength(1);
  });
});
