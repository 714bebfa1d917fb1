/** The end of a mirror, at rest and in the middle of everything. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { migrateToFaulting, stayInRam } from '../../src/driver/placement.js';
import type { Steps } from '../../src/sim/steps.js';
import { fill, load, System, type SystemOptions, store } from './harness.js';

const AREA = 0x1000;

/** Every page of `ranges` ranges of 16 is mapped by each device. */
function mirrored(ranges: number, options: SystemOptions = {}): System {
  const system = new System({ policy: stayInRam, ...options });
  system.map(AREA, 16 * ranges);
  expect(system.run(fill(system.cpus[0], AREA, 16 * ranges, 100))).toBe(Errno.OK);
  for (let i = 0; i < ranges; i++) {
    system.devices.forEach((_, device) => {
      system.run(load(system.context(device), AREA + 16 * i));
    });
  }
  system.seen.length = 0;
  return system;
}

function entries(system: System): number[] {
  return system.devices.map(({ gpu }) => gpu.pageTable.entries);
}

describe('the end of a mirror', () => {
  it('takes everything from the devices and leaves the memory to the CPU', () => {
    const system = mirrored(2, { policy: migrateToFaulting(true) });
    const [vm] = system.coordinator.vms;
    system.run(vm.close());
    expect(entries(system)).toEqual([0, 0]);
    expect(system.coordinator.mm.notifiers.intervals).toBe(0);
    expect(system.run(load(system.context(0), AREA))).toBe(Errno.ENOENT);
    expect(system.run(load(system.cpus[0], AREA + 20))).toBe(120);
    system.run(system.cpus[0].munmap(vpn(AREA), 32));
    expect(system.coordinator.zdds.live).toBe(0);
  });

  it.each([1, 2, 3, 4])('while devices fault and the CPU unmaps (seed %i)', (seed) => {
    const system = mirrored(2, { seed, policy: migrateToFaulting(false) });
    const access = function* (device: number): Steps<void> {
      for (let i = 0; i < 32; i++) yield* store(system.context(device), AREA + i, 1);
    };
    const unmap = function* (): Steps<void> {
      for (let i = 0; i < 32; i += 4) yield* system.cpus[0].munmap(vpn(AREA + i), 2);
    };
    system.runAll([access(0), access(1), unmap(), system.coordinator.vms[0].close()]);
    expect(entries(system)).toEqual([0, 0]);
    expect(system.coordinator.mm.notifiers.intervals).toBe(0);
    expect(system.coordinator.gpus.map(({ iommu }) => iommu.live)).toEqual([0, 0]);
  });
});
