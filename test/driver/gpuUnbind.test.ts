/** A device goes while programs and its peers use its memory: requests are refused, all pages come home, nothing is lost. */

import { describe, expect, it } from 'vitest';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { Location } from '../../src/driver/attributes/location.js';
import { type PlacementPolicy, preferDevice } from '../../src/driver/placement.js';
import { SHRINK_STOP } from '../../src/drm/pagemap/pagemapShrinker.js';
import { ptePfn } from '../../src/mm/table/pte.js';
import { Random } from '../../src/sim/random.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
import { IoctlRequest } from '../../src/uapi/ioctlRequest.js';
import { fill, findDifference, increment, load, System, type SystemOptions } from './harness.js';

const AREA = 0x1000;

/** Four ranges of 16 pages that the CPU has filled. */
function filled(options: SystemOptions = {}): System {
  const system = new System(options);
  system.map(AREA, 64);
  expect(system.run(fill(system.cpus[0], AREA, 64, 100))).toBe(Errno.OK);
  return system;
}

function unbind(system: System, device: number): Steps<Errno> {
  const { gpuUnbind, gpus } = system.coordinator;
  return gpuUnbind.unbind(gpus[device]);
}

/** In the memory of device 0; by its handle. */
function makeObject(system: System, npages: number): number {
  return system.run(system.cpus[0].ioctl(IoctlRequest.vmCreateBo, 0, vpn(0), npages, 0, 0)).a;
}

function* closeObject({ cpus }: System, handle: number): Steps<void> {
  yield* cpus[0].ioctl(IoctlRequest.vmCloseBo, 0, vpn(0), 0, handle, 0);
}

/** Device 0 takes pages to its memory; device 1 maps them where they are. */
const onlyDevice0: PlacementPolicy = {
  name: 'only device 0',
  onlySystemPages: true,
  place: ({ device }) => (device === 0 ? 0 : Location.Undefined),
};

describe.each(['n1', 'one-to-one'] as const)('%s: a device that is unbound', (layout) => {
  it('gives all pages back, and nothing comes to it any more', () => {
    const system = filled({ layout });
    const [gpu] = system.coordinator.gpus;
    system.run(findDifference(system.context(0), AREA, 64, 100));
    expect(system.placesOf(AREA, 64)).toEqual(['vram0']);
    const { dpagemap } = gpu;
    expect(system.run(unbind(system, 0))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 64)).toEqual(['ram']);
    expect([dpagemap?.references, dpagemap?.destroyed, gpu.dpagemap]).toEqual([0, true, null]);
    expect([gpu.life.references, gpu.life.moduleReferences]).toEqual([0, 0]);
    expect(system.devices[0].gpu.vram.usedPages).toBe(0);
    // It still reaches what is in RAM.
    expect(system.run(fill(system.context(0), AREA, 64, 500))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 64)).toEqual(['ram']);
    expect(system.run(findDifference(system.cpus[0], AREA, 64, 500))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });

  it('is no place to migrate to: faults and prefetches of it map what is in RAM at once', () => {
    const system = filled({ layout });
    const { cpus, devices } = system;
    expect(system.run(unbind(system, 0))).toBe(Errno.OK);
    expect(system.run(cpus[0].prefetch(vpn(AREA), 32, 0, 1))).toBe(Errno.OK);
    expect(devices[0].gpu.pageTable.entries).toBe(32);
    system.seen.length = 0;
    expect(system.run(load(system.context(0), AREA + 32))).toBe(132);
    expect(system.trace(['driver.retry', 'driver.bind'])).toEqual(['driver.bind']);
    system.checkAtRest();
    system.tearDown();
  });

  it('uses no pages of its peers from the next round of a fault on', () => {
    const system = filled({ layout, policy: onlyDevice0 });
    const { gpuFaults, gpuUnbind, gpus } = system.coordinator;
    system.run(fill(system.context(0), AREA, 16, 300));
    const { binding } = gpuFaults.parts;
    const right = binding.getPages.bind(binding);
    binding.getPages = function* () {
      binding.getPages = right;
      gpuUnbind.letGo(gpus[1]);
      return Errno.EBUSY;
    };
    expect(system.run(load(system.context(1), AREA))).toBe(300);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    system.checkAtRest();
    system.tearDown();
  });

  it('takes its pages from peers that have them mapped', () => {
    const system = filled({ layout, policy: onlyDevice0 });
    const [gpu] = system.coordinator.gpus;
    system.run(fill(system.context(0), AREA, 64, 300));
    expect(system.run(findDifference(system.context(1), AREA, 64, 300))).toBe(null);
    expect(system.placesOf(AREA, 64)).toEqual(['vram0']);
    expect(gpu.dpagemap?.references).toBeGreaterThan(5);
    expect(system.run(unbind(system, 0))).toBe(Errno.OK);
    expect(gpu.life.references).toBe(0);
    expect(system.run(findDifference(system.context(1), AREA, 64, 300))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });

  it.each([1, 2, 3, 4])('loses no store of anybody (seed %i)', (seed) => {
    const interconnect = seed % 2 === 0 ? 'peer' : 'none';
    const system = filled({ layout, seed, pagesPerStep: 4, devices: 3, interconnect });
    const done = new Map<string, number>();
    const add = function* (port: Parameters<typeof increment>[0], word: number): Steps<void> {
      const random = new Random(seed, word);
      for (let i = 0; i < 12; i++) {
        const page = AREA + random.below(64);
        expect(yield* increment(port, page, word)).toBe(Errno.OK);
        done.set(`${page} ${word}`, (done.get(`${page} ${word}`) ?? 0) + 1);
      }
    };
    const going = function* (): Steps<void> {
      for (let i = 0; i < 100 * seed; i++) yield STEP;
      expect(done.size).toBeGreaterThan(0);
      expect(yield* unbind(system, 0)).toBe(Errno.OK);
    };
    const contexts = [0, 1, 2].map((device) => add(system.context(device), 2 + device));
    system.runAll([add(system.cpus[0], 1), ...contexts, going()]);
    system.checkAtRest();
    expect(system.placesOf(AREA, 64)).not.toContain('vram0');
    for (const [key, times] of done) {
      const [page, word] = key.split(' ').map(Number);
      expect([key, system.run(load(system.cpus[0], page, word))]).toEqual([key, times]);
    }
    system.tearDown();
  });

  it('is nobody’s preferred place: pages go to RAM instead', () => {
    const system = filled({ layout, policy: preferDevice(0) });
    expect(system.run(unbind(system, 0))).toBe(Errno.OK);
    expect(system.run(findDifference(system.context(1), AREA, 16, 100))).toBe(null);
    expect(system.placesOf(AREA, 64)).toEqual(['ram']);
    system.tearDown();
  });
});

describe('a request to a device that goes', () => {
  it('is -ENODEV once it is unplugged', () => {
    const system = filled();
    const { vram, gpus, mm } = system.coordinator;
    const [{ dpagemap }] = gpus;
    assert(dpagemap !== null, 'no pagemap');
    dpagemap.get();
    expect(system.run(unbind(system, 0))).toBe(Errno.OK);
    expect(system.run(dpagemap.populateMm(mm, vpn(AREA), vpn(AREA + 16), 0))).toBe(Errno.ENODEV);
    expect(system.run(vram.allocatePieces(gpus[0], 4))).toBe(Errno.ENODEV);
    expect(system.run(vram.pagemaps.findOrCreate(gpus[0]))).toBe(Errno.ENODEV);
    // Who holds the pagemap keeps the device.
    expect([dpagemap.destroyed, gpus[0].life.references]).toEqual([false, 1]);
    dpagemap.put();
    system.run(system.executor.sleep(1));
    expect([dpagemap.destroyed, gpus[0].life.references]).toEqual([true, 0]);
    system.tearDown();
  });

  it('that has begun ends first, and then its pages go home', () => {
    const system = filled();
    const { gpus, mm } = system.coordinator;
    const [{ dpagemap }] = gpus;
    assert(dpagemap !== null, 'no pagemap');
    let begun = false;
    const migration = function* (): Steps<Errno> {
      begun = true;
      return yield* dpagemap.populateMm(mm, vpn(AREA), vpn(AREA + 16), 0);
    };
    const going = function* (): Steps<Errno> {
      while (!begun || !system.seen.some(({ name }) => name === 'pagemap.populated')) yield STEP;
      return yield* unbind(system, 0);
    };
    expect(system.runAll([migration(), going()])).toEqual([Errno.OK, Errno.OK]);
    const names = system.seen.map(({ name }) => name);
    expect(names.indexOf('driver.unplugged')).toBeGreaterThan(names.indexOf('pagemap.toDevmemDone'));
    const steps = system.trace([
      'pagemap.toDevmemDone',
      'driver.unplugged',
      'pagemap.evictDone',
      'driver.unbound',
    ]);
    expect(steps).toEqual([
      'pagemap.toDevmemDone',
      'driver.unplugged',
      'pagemap.evictDone',
      'driver.unbound',
    ]);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    system.tearDown();
  });
});

describe('a buffer object whose handle a program closes meanwhile', () => {
  it('is passed over', () => {
    const system = new System();
    const [first, ...others] = [1, 2, 3].map(() => makeObject(system, 8));
    const { moves } = system.coordinator.vram;
    const right = moves.evict.bind(moves);
    moves.evict = function* (bo) {
      moves.evict = right;
      const errno = yield* right(bo);
      for (const handle of others) yield* closeObject(system, handle);
      return errno;
    };
    expect(system.run(unbind(system, 0))).toBe(Errno.OK);
    const evicted = system.seen.filter(({ name }) => name === 'driver.boEvict');
    expect([evicted.length, system.devices[0].gpu.vram.usedPages]).toEqual([1, 0]);
    system.run(closeObject(system, first));
    system.tearDown();
  });

  it('cannot be evicted once its last reference is gone', () => {
    const system = new System();
    const { moves } = system.coordinator.vram;
    const handle = makeObject(system, 8);
    const [bo] = system.coordinator.gpus[0].bos;
    system.run(closeObject(system, handle));
    expect([bo.refCount, system.run(moves.evict(bo)), bo.resv.isLocked]).toEqual([0, Errno.EBUSY, false]);
    system.tearDown();
  });
});

describe('a page in use', () => {
  it('for a moment only keeps the device for that moment', () => {
    const system = filled();
    system.run(findDifference(system.context(0), AREA, 32, 100));
    const pfn = ptePfn(system.pte(AREA));
    system.folios.get(pfn);
    const letGo = function* (): Steps<Errno> {
      yield* system.executor.sleep(1_000_000);
      // The others have gone meanwhile.
      expect(system.placesOf(AREA + 16, 16)).toEqual(['ram']);
      system.folios.put(pfn);
      return Errno.OK;
    };
    expect(system.runAll([unbind(system, 0), letGo()])).toEqual([Errno.OK, Errno.OK]);
    expect(system.placesOf(AREA, 32)).toEqual(['ram']);
    system.checkAtRest();
    system.tearDown();
  });

  it('for good makes it -EBUSY; it works when the page is let go', () => {
    const system = filled();
    const [gpu] = system.coordinator.gpus;
    system.run(findDifference(system.context(0), AREA, 32, 100));
    const pfn = ptePfn(system.pte(AREA));
    system.folios.get(pfn);
    expect(system.run(unbind(system, 0))).toBe(Errno.EBUSY);
    expect([gpu.life.isUnplugged, gpu.life.references > 0, gpu.allocations.size]).toEqual([true, true, 1]);
    system.folios.put(pfn);
    expect(system.run(unbind(system, 0))).toBe(Errno.OK);
    expect(gpu.life.references).toBe(0);
    system.checkAtRest();
    system.tearDown();
  });
});

describe('the pagemaps of the driver', () => {
  it('are found again while they are in use or remembered, and made anew after they were freed', () => {
    const system = filled();
    const { gpus, vram } = system.coordinator;
    const [gpu] = gpus;
    const { pagemaps } = vram;
    const first = gpu.dpagemap;
    assert(first !== null, 'no pagemap');
    expect(system.run(pagemaps.findOrCreate(gpu))).toBe(first);
    first.put();
    expect(pagemaps.shrink(gpu, 1)).toBe(SHRINK_STOP);
    first.put();
    expect(pagemaps.unused(gpu)).toBe(1);
    expect(system.run(pagemaps.findOrCreate(gpu))).toBe(first);
    first.put();
    expect(pagemaps.shrink(gpu, 1)).toBe(1);
    const second = system.run(pagemaps.findOrCreate(gpu));
    assert(typeof second !== 'number', 'no second pagemap');
    expect([first.destroyed, second === first]).toEqual([true, false]);
    gpu.dpagemap = second;
    // It works as the first one did.
    expect(system.run(findDifference(system.context(0), AREA, 16, 100))).toBe(null);
    expect(system.placesOf(AREA, 16)).toEqual(['vram0']);
    system.checkAtRest();
    system.tearDown();
  });

  it('have an owner per clique of linked devices, in the order in which the devices came', () => {
    const system = new System({
      devices: 4,
      interconnect: [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
    });
    const { gpus, coordinator } = { gpus: system.coordinator.gpus, coordinator: system.coordinator };
    const owners = gpus.map((gpu) => coordinator.ownerOf(gpu));
    expect(owners.map((owner) => owners.indexOf(owner))).toEqual([0, 0, 2, 2]);
    system.tearDown();
  });

  it('of one owner are migrated between directly; others by way of RAM', () => {
    const system = filled({
      devices: 3,
      interconnect: [
        [0, 1],
        [1, 2],
      ],
    });
    system.run(findDifference(system.context(0), AREA, 16, 100));
    system.seen.length = 0;
    expect(system.run(fill(system.context(1), AREA, 16, 400))).toBe(Errno.OK);
    expect([system.placesOf(AREA, 16), system.trace(['pagemap.toRam'])]).toEqual([['vram1'], []]);
    expect(system.run(findDifference(system.context(2), AREA, 16, 400))).toBe(null);
    // Linked to device 1, but not in its group: that has another member without a link.
    expect([system.placesOf(AREA, 16), system.trace(['pagemap.toRam'])]).toEqual([
      ['vram2'],
      ['pagemap.toRam'],
    ]);
    system.checkAtRest();
    system.tearDown();
  });
});
