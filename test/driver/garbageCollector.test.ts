/** The garbage collector: what was unmapped goes, by the worker or by the next fault, and makes room for new ranges. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { migrateToFaulting, stayInRam } from '../../src/driver/placement.js';
import { PagesFlag } from '../../src/drm/gpusvm/pages.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
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

describe('garbage', () => {
  it('that unmaps marks the range for all devices at once, and the worker removes it', () => {
    const system = mirrored(1);
    const range = system.rangeAt(AREA);
    const { notifiers } = system.coordinator.vms[0].gpusvm;
    system.run(system.cpus[0].munmap(vpn(AREA + 15), 1));
    expect([range?.unmapped, range?.partialUnmap]).toEqual([true, true]);
    expect(range?.parts.map(({ pages }) => pages.has(PagesFlag.Unmapped))).toEqual([true, true]);
    expect(system.rangeAt(AREA)).toBe(null);
    expect(range?.refs).toBe(0);
    expect([notifiers.size, system.coordinator.mm.notifiers.intervals]).toEqual([0, 0]);
    expect(system.coordinator.vms[0].collector.hasWork).toBe(false);
    system.checkAtRest();
  });

  it('that unmaps two ranges of one notifier leaves the third', () => {
    const system = mirrored(3);
    system.run(system.cpus[0].munmap(vpn(AREA + 8), 16));
    expect([0, 16, 32].map((i) => system.rangeAt(AREA + i) !== null)).toEqual([false, false, true]);
    expect(entries(system)).toEqual([16, 16]);
    expect(system.run(load(system.context(0), AREA + 7))).toBe(107);
    expect(system.run(load(system.context(0), AREA + 8))).toBe(Errno.EFAULT);
    expect(system.run(load(system.context(0), AREA + 24))).toBe(124);
    system.checkAtRest();
    system.tearDown();
  });

  it('a fault that meets an unmapped range before the worker does collects it itself', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const system = mirrored(1, { seed, policy: migrateToFaulting(false) });
      const replace = function* (): Steps<number> {
        yield* system.cpus[0].munmap(vpn(AREA), 16);
        yield* system.cpus[0].mmap(vpn(AREA), 16, Prot.Read | Prot.Write, MapFlag.Fixed);
        return yield* store(system.context(0), AREA + 1, 7);
      };
      expect(system.run(replace())).toBe(Errno.OK);
      expect([0, 1].map((i) => system.run(load(system.cpus[0], AREA + i)))).toEqual([0, 7]);
      system.checkAtRest();
      system.tearDown();
    }
  });
});
