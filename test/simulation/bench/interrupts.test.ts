/** A signal ends whatever of a benchmark is under way: none of its runs may be left to go on. */

import { beforeEach, describe, expect, it, vi } from 'vitest';
import { loadScenario } from '../../../src/scenario/loadScenario.js';
import { configDir } from '../../../src/scenario/presets.js';
import { runBenchAccess } from '../../../src/simulation/bench/access.js';
import { runBenchCalibrate } from '../../../src/simulation/bench/calibrate.js';
import { runBenchEngine } from '../../../src/simulation/bench/engine.js';
import { runBenchFault } from '../../../src/simulation/bench/fault.js';
import { runBenchInvalidate } from '../../../src/simulation/bench/invalidate.js';
import { measureKernelFaults } from '../../../src/simulation/bench/kernelFaults.js';
import { runBenchLookup } from '../../../src/simulation/bench/lookup.js';
import { runBenchMigrate } from '../../../src/simulation/bench/migrate.js';
import { runBenchMirror } from '../../../src/simulation/bench/mirror.js';
import { runReport } from '../../report/fixtures.js';

/** The signal that each run was given; those with workers are not run. */
const heard: (AbortSignal | undefined)[] = [];

vi.mock('../../../src/simulation/makeSimulation.js', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../../src/simulation/makeSimulation.js')>();
  const runWithBuffers: typeof real.runWithBuffers = async (config, buffers, options, extensions) => {
    heard.push(options.signal);
    const isReal = config.executor === 'virtual';
    return isReal ? real.runWithBuffers(config, buffers, options, extensions) : runReport();
  };
  const makeSimulation: typeof real.makeSimulation = (config, extensions) => ({
    run: async (options = {}) => {
      heard.push(options.signal);
      return config.executor === 'virtual'
        ? real.makeSimulation(config, extensions).run(options)
        : runReport();
    },
  });
  return { ...real, runWithBuffers, makeSimulation };
});

const set = ['ram=8MiB', 'devices.vram=4MiB'];
const config = loadScenario(`${configDir()}/bench-migrate.yaml`, { executor: 'virtual', set });
const clocks = { wall: false, simulated: true };
const common = { samples: 3, clocks };
const fault = { pages: 'present', rangeBytes: 4096, outstanding: 1 } as const;
const invalidation = { event: 'protect', spanBytes: 4096, devices: 1, rate: 0, overlap: null } as const;
const migration = {
  test: 'host_to_device',
  sizeBytes: 4096,
  rangeBytes: 4096,
  storm: false,
  joined: false,
} as const;
const { cost, device } = config;
const claim = { figure: 'uvm-far-fault', fitted: [], notMet: null } as const;
const copies = { figure: 'p100-one-link', fitted: [], notMet: null } as const;
const machine = { preset: 'plain', cost, device, claims: [claim] };

type Measure = (signal: AbortSignal) => Promise<readonly unknown[]>;

beforeEach(() => {
  heard.length = 0;
});

describe('every run of a benchmark hears the signal', () => {
  it.each<[name: string, runs: number, measure: Measure]>([
    [
      'migrate, and its phases',
      3,
      (signal) => runBenchMigrate(config, { variants: [migration], ...common, signal }),
    ],
    ['mirror', 6, (signal) => runBenchMirror(config, { deviceCounts: [1], rounds: 3, ...common, signal })],
    [
      'mirror, with workers',
      18,
      (signal) => {
        const both = { wall: true, simulated: true };
        return runBenchMirror(config, { deviceCounts: [1], rounds: 3, samples: 3, clocks: both, signal });
      },
    ],
    [
      'fault',
      1,
      (signal) => runBenchFault(config, { variants: [fault], kernelProgram: null, ...common, signal }),
    ],
    [
      'invalidate, and its parts',
      2,
      (signal) => runBenchInvalidate(config, { variants: [invalidation], ...common, signal }),
    ],
    [
      'access',
      1,
      (signal) => runBenchAccess(config, { variants: [{ kind: 'miss', devices: 1 }], ...common, signal }),
    ],
    ['calibrate', 1, (signal) => runBenchCalibrate(config, { machines: [machine], signal })],
    [
      'engine, between workers',
      2,
      (signal) => runBenchEngine(config, { executors: ['threads'], samples: 3, signal }),
    ],
  ])('%s', async (_name, runs, measure) => {
    const { signal } = new AbortController();
    await measure(signal);
    expect(heard.map((given) => given === signal)).toEqual(Array.from({ length: runs }, () => true));
  });
});

describe('what runs on this thread lets the signal in', () => {
  /** Would not end by itself while a test waits. */
  const samples = 1e9;

  it.each<[name: string, measure: Measure]>([
    ['engine', (signal) => runBenchEngine(config, { executors: ['virtual'], samples, signal })],
    ['lookup', (signal) => runBenchLookup(config, { entries: [10], samples, signal })],
  ])('%s', async (_name, measure) => {
    const controller = new AbortController();
    const done = measure(controller.signal);
    setTimeout(() => controller.abort(), 50);
    expect(await done).toEqual([]);
  });

  it('the compiler and the program of kernel faults', async () => {
    const { times, reason } = await measureKernelFaults('/nowhere/minorFaults.c', 3, AbortSignal.abort());
    expect({ times, reason }).toEqual({ times: [], reason: 'it was interrupted' });
  });
});

it.each([claim, copies])(
  'a calibration that is cut off in $figure has the figures that were done',
  async (cut) => {
    const controller = new AbortController();
    const machines = [{ ...machine, claims: [cut] }];
    const done = runBenchCalibrate(config, { machines, signal: controller.signal });
    controller.abort();
    expect(await done).toEqual([]);
  },
);
