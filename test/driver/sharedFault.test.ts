/** One HMM fault for all devices of a mirror: what it saves, what it makes for nothing, and that it never maps what a device may not have. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { migrateToFaulting, stayInRam } from '../../src/driver/placement.js';
import { PagesFlag } from '../../src/drm/gpusvm/pages.js';
import type { Steps } from '../../src/sim/steps.js';
import { fill, findDifference, load, System, type SystemOptions, store } from './harness.js';

const AREA = 0x1000;
const PAGES = 32;

function filled(options: SystemOptions = {}): System {
  const system = new System({ devices: 4, layout: 'n1-shared-fault', policy: stayInRam, ...options });
  system.map(AREA, PAGES);
  expect(system.run(fill(system.cpus[0], AREA, PAGES, 100))).toBe(Errno.OK);
  system.seen.length = 0;
  return system;
}

function count(system: System, step: string): number {
  return system.seen.filter(({ name }) => name === step).length;
}

/** Of each device's part of the first range, in their order. */
function mapped(system: System): boolean[] {
  return (system.rangeAt(AREA)?.parts ?? []).map(({ pages }) => pages.has(PagesFlag.HasDmaMapping));
}

describe('one HMM fault for all devices', () => {
  it('makes the pages valid for every device of the mirror; each binds them when it comes', () => {
    const system = filled();
    expect(system.run(load(system.context(1), AREA + 3))).toBe(103);
    expect(mapped(system)).toEqual([true, true, true, true]);
    expect(system.rangeAt(AREA)?.parts.map(({ bound }) => bound)).toEqual([false, true, false, false]);
    for (const device of [0, 2, 3]) expect(system.run(load(system.context(device), AREA + 4))).toBe(104);
    expect(count(system, 'hmm.rangeFault')).toBe(1);
    expect(count(system, 'gpusvm.mapped')).toBe(4);
    system.checkAtRest();
    system.tearDown();
  });

  it.each(['n1', 'one-to-one'] as const)('is one for each device with layout %s', (layout) => {
    const system = filled({ layout });
    for (const device of [0, 1, 2, 3]) system.run(load(system.context(device), AREA));
    expect(count(system, 'hmm.rangeFault')).toBe(4);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is one also when all come at once (seed %i)', (seed) => {
    const system = filled({ seed });
    const values = system.runAll([0, 1, 2, 3].map((device) => load(system.context(device), AREA + device)));
    expect(values).toEqual([100, 101, 102, 103]);
    expect(count(system, 'hmm.rangeFault')).toBe(1);
    system.checkAtRest();
  });

  it('is taken anew after an invalidation, which ends the mappings of all, used or not', () => {
    const system = filled();
    system.run(load(system.context(0), AREA));
    system.run(system.cpus[0].mprotect(vpn(AREA), 1, 1));
    expect(mapped(system)).toEqual([false, false, false, false]);
    expect(system.coordinator.gpus.map(({ iommu }) => iommu.live)).toEqual([0, 0, 0, 0]);
    system.run(system.cpus[0].mprotect(vpn(AREA), 1, 3));
    expect(system.run(load(system.context(2), AREA))).toBe(100);
    expect(count(system, 'hmm.rangeFault')).toBe(2);
    system.checkAtRest();
  });

  it('leaves out whom it fails for, who then has a fault of its own', () => {
    const system = filled();
    const [, , third] = system.coordinator.gpus;
    third.iommu.shouldFail = () => true;
    system.run(load(system.context(0), AREA));
    expect(mapped(system)).toEqual([true, true, false, true]);
    expect(third.iommu.live).toBe(0);
    third.iommu.shouldFail = null;
    expect(system.run(load(system.context(2), AREA + 1))).toBe(101);
    expect(count(system, 'hmm.rangeFault')).toBe(2);
    system.checkAtRest();
  });

  it('maps device pages only for devices of their owner', () => {
    const alone = filled({ interconnect: 'none', policy: migrateToFaulting(true) });
    alone.run(load(alone.context(0), AREA));
    expect(alone.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(mapped(alone)).toEqual([true, false, false, false]);
    const peers = filled({ policy: migrateToFaulting(true) });
    peers.run(load(peers.context(0), AREA));
    expect(mapped(peers)).toEqual([true, true, true, true]);
    expect(peers.coordinator.gpus[0].dpagemap?.references).toBeGreaterThan(4);
    peers.checkAtRest();
    peers.tearDown();
  });

  it('gives nobody a mapping for stores that one for loads has made', () => {
    const system = filled();
    system.run(system.cpus[0].mprotect(vpn(AREA), PAGES, 1));
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect(system.rangeAt(AREA)?.parts.map(({ pages }) => pages.isMappedReadOnly)).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(system.run(store(system.context(1), AREA, 7))).toBe(Errno.EPERM);
    system.run(system.cpus[0].mprotect(vpn(AREA), PAGES, 3));
    expect(system.run(store(system.context(1), AREA, 100))).toBe(Errno.OK);
    system.checkAtRest();
  });

  it.each(Array.from({ length: 12 }, (_, i) => 1 + i))(
    'survives invalidations, leaving and joining (seed %i)',
    (seed) => {
      const policy = seed % 2 === 0 ? stayInRam : migrateToFaulting(seed % 3 === 0);
      const system = filled({ seed, policy, pagesPerStep: 4 });
      const access = function* (device: number): Steps<void> {
        for (let i = 0; i < PAGES; i += 3) {
          const store7 = i % 2 === 0;
          const port = system.context(device);
          const result = store7 ? yield* store(port, AREA + i, 100 + i) : yield* load(port, AREA + i);
          expect([Errno.OK, 100 + i, Errno.ENODEV, Errno.EPERM]).toContain(result);
        }
      };
      const invalidate = function* (): Steps<void> {
        for (let i = 0; i + 8 <= PAGES; i += 4) {
          yield* system.cpus[0].mprotect(vpn(AREA + i), 8, 1);
          yield* system.cpus[0].mprotect(vpn(AREA + i), 8, 3);
        }
      };
      const comeAndGo = function* (): Steps<void> {
        for (let i = 0; i < 4; i++) {
          yield* system.cpus[0].setMembership(3, false);
          yield* system.cpus[0].setMembership(3, true);
        }
      };
      system.runAll([access(0), access(1), access(2), access(3), invalidate(), comeAndGo()]);
      expect(system.run(findDifference(system.cpus[0], AREA, PAGES, 100))).toBeNull();
      system.checkAtRest();
      system.tearDown();
    },
  );
});
