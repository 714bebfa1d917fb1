/** The counters are one table, with names that users know, and add up over devices. */

import { beforeAll, describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { DriverStep } from '../../src/driver/driverStep.js';
import { PagemapStep } from '../../src/drm/pagemap/pagemapStep.js';
import { ActorObserver, ObserverBuffers } from '../../src/observe/actorObserver.js';
import { counterTable, deviceCounters, retryCounters, runCounters } from '../../src/observe/counters.js';
import { Observation } from '../../src/observe/observation.js';
import { BUFFER, TestMachine } from '../check/harness.js';

const PAGE = vpn(1000);

function observer(): { told: ActorObserver; observation: Observation } {
  const buffers = ObserverBuffers.allocate(1);
  return {
    told: new ActorObserver(buffers, 0, { now: () => 0, slice: 0 }),
    observation: new Observation(buffers),
  };
}

describe('the table', () => {
  it('has each name once, with a meaning and a source', () => {
    const names = counterTable.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { meaning, from } of counterTable) {
      expect(meaning).not.toBe('');
      expect(from).toMatch(/^(step [a-z]+\.\w+|device \w+)$/);
    }
  });

  it('has the names of xe GT stats', () => {
    const names = new Set(counterTable.map(({ name }) => name));
    const known = ['svm_pagefault_count', 'tlb_inval_count', 'svm_tlb_inval_count', 'svm_tlb_inval_us'];
    const bySize = ['pagefault_count', 'valid_pagefault_count', 'migrate_count', 'migrate_us'];
    const sized = ['4K', '64K', '2M'].flatMap((size) => bySize.map((name) => `svm_${size}_${name}`));
    for (const name of [...known, ...sized, 'svm_device_copy_kb', 'svm_cpu_copy_kb']) {
      expect(names, name).toContain(name);
    }
  });

  it('describes exactly what a run reports', () => {
    const machine = new TestMachine();
    const source = { observation: machine.observation, snapshots: machine.snapshots() };
    expect(Object.keys(runCounters(source, 2)).sort()).toEqual(counterTable.map(({ name }) => name).sort());
    const perDevice = counterTable.filter((row) => row.perDevice).map(({ name }) => name);
    expect(Object.keys(deviceCounters(source, 0)).sort()).toEqual(perDevice.sort());
  });
});

describe('run counters', () => {
  it('count the faults that ended with an error', () => {
    const { told, observation } = observer();
    for (const errno of [Errno.OK, Errno.EFAULT, Errno.OK])
      told.onStep(null, DriverStep.faultDone, PAGE, 0, errno, 1);
    expect(runCounters({ observation, snapshots: null }, 1).svm_pagefault_error_count).toBe(1);
  });

  it('have the size of migrations that came to nothing in bytes', () => {
    const { told, observation } = observer();
    for (const npages of [4, 16]) told.onStep(null, PagemapStep.toDevmemFailed, PAGE, npages, Errno.EBUSY, 0);
    expect(runCounters({ observation, snapshots: null }, 1)).toMatchObject({
      svm_migrate_fail_count: 2,
      svm_migrate_fail_bytes: 20 * 4096,
    });
  });
});

describe('device counters', () => {
  it('sort ranges by size', () => {
    const { told, observation } = observer();
    for (const npages of [1, 8, 16, 256, 512])
      told.onStep(null, PagemapStep.toDevmemDone, PAGE, npages, 0, 3000);
    const counters = deviceCounters({ observation, snapshots: null }, 0);
    expect(counters.svm_4K_migrate_count).toBe(2);
    expect(counters.svm_64K_migrate_count).toBe(2);
    expect(counters.svm_2M_migrate_count).toBe(1);
    expect(counters.svm_64K_migrate_us).toBe(6);
    expect(counters.svm_migrate_count).toBe(5);
    expect(counters.svm_migrate_bytes).toBe(793 * 4096);
  });

  it('leave out what only the devices know, while they are not asked', () => {
    const { observation } = observer();
    const counters = deviceCounters({ observation, snapshots: null }, 0);
    expect(counters).toHaveProperty('svm_pagefault_count', 0);
    expect(counters).not.toHaveProperty('svm_ram_to_device_copy_kb');
  });
});

describe('retry counters', () => {
  it('are named by place and errno, and only there when something was retried', () => {
    const { told, observation } = observer();
    expect(retryCounters(observation)).toEqual({});
    told.onStep(null, DriverStep.retry, PAGE, 0, Errno.EBUSY, 0);
    told.onStep(null, PagemapStep.toDevmemFailed, PAGE, 4, Errno.EBUSY, 100);
    told.onStep(null, PagemapStep.evictDone, 0, 4, Errno.OK, 100);
    expect(retryCounters(observation)).toEqual({ 'fault.EBUSY': 1, 'migrate.EBUSY': 1 });
  });
});

describe('the counters of a machine', () => {
  let machine: TestMachine;

  beforeAll(() => {
    machine = new TestMachine();
    machine.run(machine.map(32));
    machine.run(machine.store(machine.cpus[0], BUFFER, 16, 1));
    machine.run(machine.store(machine.gpu(0), BUFFER, 16, 2));
    machine.run(machine.store(machine.gpu(1), BUFFER, 16, 3));
    machine.run(machine.load(machine.cpus[0], BUFFER, 1));
    machine.run(machine.unmap(BUFFER, 32));
  });

  it('tell where pages went', () => {
    const source = { observation: machine.observation, snapshots: machine.snapshots() };
    const [first, second] = [deviceCounters(source, 0), deviceCounters(source, 1)];
    expect(first).toMatchObject({
      svm_pagefault_count: 1,
      svm_64K_pagefault_count: 1,
      svm_64K_migrate_count: 1,
    });
    expect(first).toMatchObject({ svm_device_copy_kb: 64, svm_peer_copy_kb: 64, svm_tlb_inval_count: 1 });
    expect(first).toMatchObject({ svm_migrate_bytes: 65536, svm_peer_migrate_bytes: 65536 });
    expect(second).toMatchObject({ svm_64K_migrate_count: 1, svm_cpu_migrate_count: 1, svm_cpu_copy_kb: 64 });
    expect(second).toMatchObject({ svm_device_copy_kb: 64, svm_ram_to_device_copy_kb: 0 });
  });

  it('add up over devices, with what is counted once per run', () => {
    const source = { observation: machine.observation, snapshots: machine.snapshots() };
    const counters = runCounters(source, 2);
    expect(counters).toMatchObject({
      svm_pagefault_count: 2,
      svm_migrate_count: 2,
      svm_cpu_migrate_count: 1,
    });
    const sizes = ['4K', '64K', '2M'].map((size) => counters[`svm_${size}_device_copy_kb`]);
    expect(counters.svm_device_copy_kb).toBe(sizes.reduce((sum, kb) => sum + kb, 0));
    expect(counters.svm_device_copy_kb).toBe(counters.svm_ram_to_device_copy_kb + counters.svm_peer_copy_kb);
    expect(counters).toMatchObject({ mmap_count: 1, munmap_count: 1, mmu_invalidate_unmap_count: 1 });
    expect(counters.mmu_invalidate_count).toBeGreaterThanOrEqual(3);
    expect(counters.cpu_fault_count).toBe(17);
    expect(counters.hmm_range_fault_count).toBeGreaterThan(0);
  });
});

describe('the counters of a machine on which a prefetch does what faults would', () => {
  /** What counts for faults, invalidations of notifiers, and migrations, once everything has run. */
  function counted(machine: TestMachine): number[] {
    const counters = runCounters({ observation: machine.observation, snapshots: null }, 2);
    const names = ['64K_pagefault', '64K_valid_pagefault', 'cpu_migrate', 'migrate', 'tlb_inval'];
    return names.map((name) => counters[`svm_${name}_count`]);
  }

  function filled(): TestMachine {
    const machine = new TestMachine();
    machine.run(machine.map(16));
    machine.run(machine.store(machine.cpus[0], BUFFER, 16, 1));
    return machine;
  }

  it('have no fault for it, and no migration for a fault of the CPU', () => {
    const machine = filled();
    const { prefetches, vms, gpus } = machine.coordinator;
    expect(machine.run(prefetches.toDevice(vms[0], gpus[0], BUFFER))).toEqual([BUFFER + 16]);
    expect(machine.run(prefetches.toDevice(vms[0], gpus[0], BUFFER))).toEqual([BUFFER + 16]);
    expect(machine.run(prefetches.toRam(vms[0], BUFFER))).toEqual([BUFFER + 16]);
    expect(counted(machine)).toEqual([0, 0, 0, 1, 1]);
  });

  it('leave out copies between devices that fail', () => {
    const machine = filled();
    machine.run(machine.store(machine.gpu(0), BUFFER, 16, 2));
    const { vram } = machine.coordinator;
    const right = vram.copyToRam.bind(vram);
    vram.copyToRam = function* () {
      vram.copyToRam = right;
      return Errno.EIO;
    };
    machine.run(machine.store(machine.gpu(1), BUFFER, 16, 3));
    const { observation } = machine;
    expect(runCounters({ observation, snapshots: null }, 2).svm_peer_migrate_bytes).toBe(0);
    expect(counted(machine)[2]).toBe(0);
    machine.run(machine.load(machine.cpus[0], BUFFER, 1));
  });

  it('count invalidations that no notifier has asked for among those of any cause only', () => {
    const machine = filled();
    machine.run(machine.store(machine.gpu(0), BUFFER, 16, 2));
    const { coordinator } = machine;
    expect(machine.run(coordinator.membership.leave(coordinator.mm, coordinator.gpus[0]))).toEqual([
      Errno.OK,
    ]);
    const counters = runCounters({ observation: machine.observation, snapshots: null }, 2);
    expect([counters.tlb_inval_count > 0, counters.svm_tlb_inval_count]).toEqual([true, 0]);
  });
});
