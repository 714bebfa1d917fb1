/** Where pages go: what a device does atomically and where, and preferred locations with and without a link, for two and three devices. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import type { SystemAtomics } from '../../../src/device/gpuConfig.js';
import { gpuPteProto } from '../../../src/device/gpuPte.js';
import { Location } from '../../../src/driver/attributes/location.js';
import { AtomicMode, type XeMadvise } from '../../../src/driver/attributes/xeMadvise.js';
import type { PeerLinks } from '../../../src/driver/peerLinks.js';
import {
  migrateToFaulting,
  type PlacementPolicy,
  preferDevice,
  stayInRam,
} from '../../../src/driver/placement.js';
import { DmaProto } from '../../../src/memory/dmaAddr.js';
import { FaultKind } from '../../../src/memory/faultKind.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import type { Steps } from '../../../src/sim/steps.js';
import { fill, findDifference, load, System, type SystemOptions, store } from '../harness.js';

const AREA = 0x1000;
const layouts = ['n1', 'one-to-one'] as const;

function filled(options: SystemOptions): System {
  const system = new System(options);
  system.map(AREA, 16);
  expect(system.run(fill(system.cpus[0], AREA, 16, 100))).toBe(Errno.OK);
  return system;
}

function advise(system: System, device: number): XeMadvise {
  const said = system.coordinator.mirrors.attributesOf(system.coordinator.mm);
  if (said === null) throw new Error('the process is not mirrored');
  return said.mirrors[device];
}

/** The word's old value, or an errno; a hardware that faults for ever on what it was told it has shows as a run that does not end. */
function* atomicAdd(system: System, device: number, page: number): Steps<number> {
  const context = system.context(device);
  for (;;) {
    const at = context.tryAtomic(vpn(page));
    if (at >= 0) return Atomics.add(context.memory.words, at, 1);
    const errno = yield* context.fault(vpn(page), true, FaultKind.Atomic);
    if (errno !== Errno.OK) return errno;
  }
}

function finish(system: System): void {
  system.checkAtRest();
  system.tearDown();
}

/** Result of an atomic on a page that holds 100, and where the page is then. */
const { Undefined, Device, Global, Cpu } = AtomicMode;
const modes: readonly [SystemAtomics, keyof typeof AtomicMode, number, number, string][] = [
  ['none', 'Undefined', Undefined, 100, 'vram0'],
  ['none', 'Device', Device, 100, 'vram0'],
  ['none', 'Global', Global, 100, 'vram0'],
  ['none', 'Cpu', Cpu, Errno.EACCES, 'ram'],
  ['device', 'Undefined', Undefined, 100, 'vram0'],
  ['device', 'Device', Device, 100, 'ram'],
  ['device', 'Global', Global, 100, 'vram0'],
  ['device', 'Cpu', Cpu, Errno.EACCES, 'ram'],
  ['coherent', 'Undefined', Undefined, 100, 'ram'],
  ['coherent', 'Device', Device, 100, 'ram'],
  ['coherent', 'Global', Global, 100, 'ram'],
  ['coherent', 'Cpu', Cpu, Errno.EACCES, 'ram'],
];

describe.each(layouts)('%s: atomics', (layout) => {
  it.each(modes)('of a device with %s of them in RAM, mode %s', (systemAtomics, _, mode, result, place) => {
    const system = filled({ layout, systemAtomics });
    advise(system, 0).setPreferred(vpn(AREA), vpn(AREA + 16), Location.System, false);
    advise(system, 0).setAtomics(vpn(AREA), vpn(AREA + 16), mode as AtomicMode);
    expect(system.run(atomicAdd(system, 0, AREA))).toBe(result);
    expect(system.placesOf(AREA, 16)).toEqual([place]);
    expect(system.run(load(system.cpus[0], AREA))).toBe(result < 0 ? 100 : 101);
    finish(system);
  });

  it('are refused in mode CPU also where a store has the page in device memory', () => {
    const system = filled({ layout });
    advise(system, 0).setAtomics(vpn(AREA), vpn(AREA + 16), Cpu);
    expect(system.run(store(system.context(0), AREA, 7))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    expect(system.run(atomicAdd(system, 0, AREA))).toBe(Errno.EACCES);
    expect(system.run(load(system.context(0), AREA))).toBe(7);
    finish(system);
  });

  it('are refused on memory that cannot migrate, and nothing is tried again', () => {
    const system = filled({ layout });
    const shared = system.run(system.cpus[0].mmap(vpn(AREA + 64), 16, 3, 0x11));
    expect(shared).toBe(AREA + 64);
    expect(system.run(store(system.cpus[0], AREA + 64, 5))).toBe(Errno.OK);
    expect(system.run(atomicAdd(system, 0, AREA + 64))).toBe(Errno.EACCES);
    expect(system.seen.filter(({ name }) => name === 'driver.retry')).toEqual([]);
    expect(system.run(load(system.context(0), AREA + 64))).toBe(5);
    system.tearDown();
  });

  it('fail with the error of the allocation after three attempts', () => {
    const system = filled({ layout });
    system.devices[0].gpu.vram.shouldFail = () => true;
    expect(system.run(atomicAdd(system, 0, AREA))).toBe(Errno.ENOMEM);
    expect(system.seen.filter(({ name }) => name === 'driver.migrate')).toHaveLength(3);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    finish(system);
  });

  it.each([
    [2, 'peer'],
    [2, 'none'],
    [3, 'peer'],
    [3, 'none'],
    [3, [[0, 1]]],
  ] as [number, PeerLinks][])(
    'of %i devices, links %j: the page goes from one to the next',
    (devices, interconnect) => {
      const system = filled({ layout, devices, interconnect });
      for (let i = 0; i < 2 * devices; i++) {
        expect(system.run(atomicAdd(system, i % devices, AREA))).toBe(100 + i);
        expect(system.placesOf(AREA, 16)).toEqual([`vram${i % devices}`]);
      }
      finish(system);
    },
  );
});

/** Device 0 takes pages to its memory; the others map them where they are. */
const onlyDevice0: PlacementPolicy = {
  name: 'only device 0',
  onlySystemPages: true,
  place: ({ device }) => (device === 0 ? 0 : Location.Undefined),
};

describe.each(layouts)('%s: atomics on pages that the device has bound in the memory of a peer', (layout) => {
  it.each([
    [migrateToFaulting(true), 'coherent', Undefined, true, 'vram1'],
    [migrateToFaulting(true), 'coherent', Undefined, false, 'ram'],
    [onlyDevice0, 'coherent', Undefined, true, 'ram'],
    [onlyDevice0, 'device', Device, true, 'ram'],
    [onlyDevice0, 'none', Undefined, true, 'vram1'],
  ] as [PlacementPolicy, SystemAtomics, AtomicMode, boolean, string][])(
    'policy $0.name, $1 in RAM, mode $2, memory for a migration: $3',
    (policy, systemAtomics, mode, hasRoom, place) => {
      const system = filled({ layout, policy, systemAtomics });
      advise(system, 1).setAtomics(vpn(AREA), vpn(AREA + 16), mode);
      if (mode !== Undefined) advise(system, 1).setPreferred(vpn(AREA), vpn(AREA + 16), 0, false);
      for (const device of [0, 1]) expect(system.run(store(system.context(device), AREA, 7))).toBe(Errno.OK);
      expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
      expect(gpuPteProto(system.gpuPte(1, AREA))).toBe(DmaProto.Peer);
      system.devices[1].gpu.vram.shouldFail = () => !hasRoom;
      expect(system.run(atomicAdd(system, 1, AREA))).toBe(7);
      expect(system.placesOf(AREA, 16)).toEqual([place]);
      expect(system.run(load(system.cpus[0], AREA))).toBe(8);
      finish(system);
    },
  );

  it('are refused where the pages cannot migrate, though they are bound', () => {
    const system = filled({ layout, chunkPages: [1], migratePagesMin: 16 });
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect(system.run(store(system.context(0), AREA, 7))).toBe(Errno.OK);
    expect(system.run(atomicAdd(system, 0, AREA))).toBeLessThan(0);
    finish(system);
  });
});

/** Links, who faults, and where pages are that are to be with device 1. */
const preferred: readonly [PeerLinks, number, string][] = [
  ['peer', 0, 'vram1'],
  ['peer', 2, 'vram1'],
  ['none', 0, 'ram'],
  ['none', 1, 'vram1'],
  [[[0, 1]], 0, 'vram1'],
  [[[0, 1]], 2, 'ram'],
];

describe.each(layouts)('%s: the preferred location', (layout) => {
  it.each(preferred)('device 1, links %j, device %i faults: %s', (interconnect, device, place) => {
    const system = filled({ layout, devices: 3, interconnect, policy: preferDevice(1) });
    expect(system.run(fill(system.context(device), AREA, 16, 300))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 16)).toEqual([place]);
    // One migration at most: nothing goes where the device cannot use it.
    const migrations = system.seen.filter(({ name }) => name === 'driver.migrate');
    expect(migrations).toHaveLength(place === 'ram' ? 0 : 1);
    expect(system.run(findDifference(system.cpus[0], AREA, 16, 300))).toBe(null);
    finish(system);
  });

  it('RAM brings pages home out of the memory of a linked device', () => {
    const system = filled({ layout, devices: 2 });
    system.run(load(system.context(0), AREA));
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    advise(system, 1).setPreferred(vpn(AREA), vpn(AREA + 16), Location.System, false);
    expect(system.run(load(system.context(1), AREA + 3))).toBe(103);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    finish(system);
  });

  it('each device has one of its own, and follows it', () => {
    const system = filled({ layout, devices: 3 });
    advise(system, 0).setPreferred(vpn(AREA), vpn(AREA + 16), 2, false);
    advise(system, 1).setPreferred(vpn(AREA), vpn(AREA + 16), Location.Faulting, true);
    const seen = [0, 1, 2].map((device) => {
      system.run(load(system.context(device), AREA));
      return system.placesOf(AREA, 16);
    });
    // Device 1 takes them from another device, though its advice speaks of pages in RAM only.
    expect(seen).toEqual([['vram2'], ['vram1'], ['vram2']]);
    finish(system);
  });

  it('ranges below the size that a device migrates stay in RAM', () => {
    const system = filled({ layout, chunkPages: [16, 1], migratePagesMin: 16 });
    system.map(AREA + 64, 1);
    expect(system.run(store(system.cpus[0], AREA + 64, 9))).toBe(Errno.OK);
    expect(system.run(load(system.context(0), AREA + 64))).toBe(9);
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect([system.placeOf(AREA + 64), system.placeOf(AREA)]).toEqual(['ram', 'vram0']);
    finish(system);
  });
});

it('reaches no device that does not exist', () => {
  const asked: boolean[] = [];
  const policy: PlacementPolicy = {
    name: 'asks for one too many',
    onlySystemPages: false,
    place: (question) => {
      asked.push(question.reaches(2));
      return Location.System;
    },
  };
  const system = filled({ policy });
  expect(system.run(load(system.context(0), AREA))).toBe(100);
  expect([...new Set(asked)]).toEqual([false]);
  finish(system);
});

describe.each(layouts)('%s: a prefetch', (layout) => {
  it('to where pages are to be in RAM does not count a binding in device memory as done', () => {
    const system = filled({ layout, policy: migrateToFaulting(false) });
    const { coordinator } = system;
    const [gpu] = coordinator.gpus;
    system.run(load(system.context(0), AREA));
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    const vm = coordinator.vmOf(gpu);
    const result = system.run(coordinator.prefetches.toDevice(vm, gpu, vpn(AREA), stayInRam));
    expect(result).toBe(AREA + 16);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    finish(system);
  });
});

describe('what was said of memory that has gone', () => {
  it('refuses no fault on what is mapped there now, though the worker has not collected it yet', () => {
    const system = filled({});
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    advise(system, 0).setAtomics(vpn(AREA), vpn(AREA + 16), Cpu);
    const { collector } = system.coordinator.vms[0];
    const letWork = system.holdCollector();
    const replace = function* (): Steps<number> {
      yield* system.cpus[0].mmap(vpn(AREA), 16, Prot.Read | Prot.Write, MapFlag.Fixed);
      expect(collector.hasWork).toBe(true);
      const old = yield* atomicAdd(system, 0, AREA);
      letWork();
      return old;
    };
    expect(system.run(replace())).toBe(0);
    finish(system);
  });
});
