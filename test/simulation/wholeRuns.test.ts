/** Whole runs under both executors: the same scenario, verified to the last byte, deterministic where it says so, and ended cleanly. */

import { describe, expect, it, vi } from 'vitest';
import { GpuSvmStep } from '../../src/drm/gpusvm/gpusvmStep.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { Conductor } from '../../src/simulation/conductor.js';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import type { RunReport } from '../../src/simulation/runReport.js';
import { allocateBuffers } from '../../src/simulation/sharedBuffers.js';
import { VirtualFleet } from '../../src/simulation/virtualFleet.js';
import { smallScenario } from './scenarios.js';

const executors = ['virtual', 'threads'] as const;
const layouts = ['n1', 'one-to-one'] as const;

function expectSound(report: RunReport): void {
  expect(report.failure).toBeNull();
  expect(report.checks.filter((check) => !check.ok)).toEqual([]);
  expect(report.checks.length).toBeGreaterThan(30);
  expect(report.workloads.filter((workload) => !workload.ok)).toEqual([]);
}

describe.each(executors)('the default scenario in small, under %s', (executor) => {
  it.each(layouts)('holds every check with layout %s', async (layout) => {
    const report = await makeSimulation(smallScenario({ executor, layout })).run();
    expectSound(report);
    expect(report.outcome).toBe('completed');
    expect(report.workloads).toHaveLength(5);
    for (const { counters } of report.devices) expect(counters.svm_pagefault_count).toBeGreaterThan(0);
  });

  it.each([1, 2])('holds them with a TLB of %d entries', async (entries) => {
    const set = [`devices.tlb-entries=${entries}`];
    expectSound(await makeSimulation(smallScenario({ executor, set })).run());
  });

  it('holds them without links between devices, where pages move through RAM', async () => {
    const report = await makeSimulation(smallScenario({ executor, set: ['svm.interconnect=none'] })).run();
    expectSound(report);
    expect(report.counters.svm_peer_copy_kb).toBe(0);
  });

  it('holds them where only pairs of devices are linked, and atomics work in RAM', async () => {
    const set = ['svm.migrate-min=64KiB', 'devices.system-atomics=coherent'];
    const config = smallScenario({ executor, set });
    const interconnect = [
      [0, 1],
      [2, 3],
    ] as const;
    const svm = { ...config.svm, interconnect };
    const report = await makeSimulation({ ...config, deviceCount: 4, svm }).run();
    expectSound(report);
    expect(report.counters.svm_peer_copy_kb).toBeGreaterThan(0);
  });

  it('holds them with so little VRAM that pages are evicted', async () => {
    const set = ['devices.vram=128KiB', 'svm.chunks=[64KiB, 4KiB]'];
    const report = await makeSimulation(smallScenario({ executor, set })).run();
    expectSound(report);
    expect(report.counters.svm_evict_count).toBeGreaterThan(0);
  });

  it.each(layouts)('holds them while devices leave and join, with layout %s', async (layout) => {
    const set = ['join-leave={pause: 200us, operations: 60}'];
    const report = await makeSimulation(smallScenario({ executor, layout, set })).run();
    expectSound(report);
    expect(report.workloads.find(({ workload }) => workload === 'join-leave')?.counts.fewest).toBeLessThan(2);
    if (layout === 'n1') expect(report.counters.svm_leave_count).toBeGreaterThan(10);
  });

  it('ends early and cleanly when it is told to', async () => {
    const config = smallScenario({ executor, set: ['workloads.saxpy.rounds=1000'] });
    const report = await makeSimulation(config).run({ signal: AbortSignal.timeout(300) });
    expect(report.outcome).toBe('interrupted');
    expectSound(report);
  });
});

describe('a run under virtual', () => {
  it('is the same for the same seed, and another for another', async () => {
    const run = async (seed: number): Promise<string> => {
      const report = await makeSimulation(smallScenario({ executor: 'virtual', seed })).run();
      return JSON.stringify({ ...report, wallNs: 0 });
    };
    const first = await run(3);
    expect(await run(3)).toBe(first);
    expect(await run(4)).not.toBe(first);
  });

  it('verifies at quiescent points on the way', async () => {
    const report = await makeSimulation(smallScenario({ executor: 'virtual' })).run({ verifyEveryMs: 1 });
    expectSound(report);
    expect(report.verifications).toBeGreaterThan(2);
  });

  /** A virtual run that is verified on the way, and of whose fleet something was changed first. */
  async function changedRun(change: (fleet: VirtualFleet) => void): Promise<RunReport> {
    const config = { ...smallScenario({ executor: 'virtual' }), checks: 'all' } as const;
    const buffers = allocateBuffers(config);
    const fleet = new VirtualFleet(config, buffers, new RandomStrategy(1));
    change(fleet);
    return new Conductor(config, buffers, fleet, { verifyEveryMs: 1 }).run();
  }

  it('counts no time in which everybody rests, to be verified, as time of its programs', async () => {
    const restNs = 1e12;
    let restedNs = 0;
    const report = await changedRun((fleet) => {
      const { coordinator, executor } = fleet;
      const { verify } = coordinator;
      vi.spyOn(fleet, 'now').mockImplementation(() => executor.now() + restedNs);
      vi.spyOn(coordinator, 'verify').mockImplementation((...args) => {
        restedNs += restNs;
        return verify.apply(coordinator, args);
      });
    });
    expect(report.verifications).toBeGreaterThan(1);
    expect(report.simulatedNs).toBeGreaterThan(restNs * report.verifications);
    expect(report.programsNs).toBeGreaterThan(0);
    expect(report.programsNs).toBeLessThanOrEqual(report.simulatedNs - restedNs);
  });

  it('fails for what was broken on the way, though it looks whole at the end', async () => {
    const report = await changedRun(({ coordinator }) => {
      const { verify } = coordinator;
      vi.spyOn(coordinator, 'verify').mockImplementationOnce((...args) => [
        ...verify.apply(coordinator, args),
        { name: 'I4', ok: false, detail: 'a stale entry' },
      ]);
    });
    expect(report.verifications).toBe(2);
    expect(report.checks.filter(({ ok }) => !ok)).toEqual([
      { name: 'I4', ok: false, detail: 'a stale entry' },
    ]);
    expect(report.checks.some(({ name }) => name.startsWith('torn-down'))).toBe(false);
  });

  it('tells of what a checker sees in the tear-down', async () => {
    const report = await changedRun(({ executor, coordinator: { coordinator } }) => {
      const { tearDown } = coordinator;
      vi.spyOn(coordinator, 'tearDown').mockImplementation(function* () {
        executor.at(GpuSvmStep.mapped, 0, 1, 0, 0);
        yield* tearDown.call(coordinator);
      });
    });
    const broken = report.checks.filter(({ ok }) => !ok);
    expect(broken.map(({ name }) => name)).toEqual(['I3']);
    expect(broken[0].detail).toContain('without the notifier lock');
  });
});
