/** The driver's device memory: what it evicts to make room, and that nothing is lost on the way. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { vpn } from '../../src/base/units.js';
import { ptePfn } from '../../src/mm/table/pte.js';
import { Random } from '../../src/sim/random.js';
import type { Steps } from '../../src/sim/steps.js';
import { fill, findDifference, increment, load, System, type SystemOptions } from './harness.js';

const AREA = 0x1000;

/** Four ranges of 16 pages, and devices that hold two each. */
function small(options: SystemOptions = {}): System {
  const system = new System({ vramPages: 32, ...options });
  system.map(AREA, 64);
  expect(system.run(fill(system.cpus[0], AREA, 64, 100))).toBe(Errno.OK);
  return system;
}

describe.each(['n1', 'one-to-one'] as const)('%s: memory pressure', (layout) => {
  it('sends the range home that came first, and keeps every byte', () => {
    const system = small({ layout });
    expect(system.run(findDifference(system.context(0), AREA, 48, 100))).toBe(null);
    expect(system.placesOf(AREA, 64)).toEqual(['ram', 'vram0', 'ram']);
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect(system.placesOf(AREA, 64)).toEqual(['vram0', 'ram', 'vram0', 'ram']);
    system.checkAtRest();
    expect(system.run(findDifference(system.cpus[0], AREA, 64, 100))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });

  it('keeps what the device wrote', () => {
    const system = small({ layout });
    expect(system.run(fill(system.context(0), AREA, 64, 700))).toBe(Errno.OK);
    expect(system.devices[0].gpu.vram.usedPages).toBe(32);
    expect(system.run(findDifference(system.context(1), AREA, 64, 700))).toBe(null);
    system.checkAtRest();
    expect(system.run(findDifference(system.cpus[0], AREA, 64, 700))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });

  it.each([1, 2, 3])('loses no store of any device or the CPU (seed %i)', (seed) => {
    const system = small({ layout, seed, pagesPerStep: 4, interconnect: seed % 2 === 0 ? 'peer' : 'none' });
    const done = new Map<string, number>();
    const add = function* (port: Parameters<typeof increment>[0], word: number): Steps<void> {
      const random = new Random(seed, word);
      for (let i = 0; i < 15; i++) {
        const page = AREA + random.below(64);
        expect(yield* increment(port, page, word)).toBe(Errno.OK);
        done.set(`${page} ${word}`, (done.get(`${page} ${word}`) ?? 0) + 1);
      }
    };
    system.runAll([add(system.cpus[0], 1), add(system.context(0), 2), add(system.context(1), 3)]);
    system.checkAtRest();
    for (const [key, times] of done) {
      const [page, word] = key.split(' ').map(Number);
      expect([key, system.run(load(system.cpus[0], page, word))]).toEqual([key, times]);
    }
    system.checkAtRest();
    system.tearDown();
  });
});

describe('eviction', () => {
  it('of everything empties the device', () => {
    const system = small();
    const [gpu] = system.coordinator.gpus;
    system.run(findDifference(system.context(0), AREA, 32, 100));
    expect(gpu.allocations.size).toBe(2);
    expect(system.run(system.coordinator.vram.evictAll(gpu))).toBe(Errno.OK);
    expect([gpu.allocations.size, system.devices[0].gpu.vram.usedPages]).toEqual([0, 0]);
    expect(system.run(findDifference(system.cpus[0], AREA, 64, 100))).toBe(null);
    system.tearDown();
  });

  it.each([1, 2, 3, 4])(
    'of one allocation by two at a time is done by one after the other (seed %i)',
    (seed) => {
      const system = small({ seed, pagesPerStep: 4 });
      const { vram, gpus, mm } = system.coordinator;
      const [gpu] = gpus;
      system.run(findDifference(system.context(0), AREA, 32, 100));
      const held = pfnAt(system, AREA);
      system.folios.get(held);
      const busy = new Set<number>();
      const twice: number[] = [];
      system.onEachStep = ({ name, args }) => {
        const [device, , id] = args;
        if (name === 'pagemap.evict') {
          if (busy.has(device)) twice.push(id);
          busy.add(device);
        }
        if (name === 'pagemap.evictDone') busy.delete(device);
      };
      const [first] = gpu.allocations;
      system.runAll([vram.evict(first), vram.evict(first), vram.evict(first)]);
      expect([twice, first.evicting, first.released]).toEqual([[], false, false]);
      system.folios.put(held);
      system.runAll([vram.evictAll(gpu), vram.evictOf(gpu, mm, () => false)]);
      expect(gpu.allocations.size).toBe(0);
      expect(system.run(findDifference(system.cpus[0], AREA, 64, 100))).toBe(null);
      system.tearDown();
    },
  );

  it('for a device that left ends as soon as it is back: what has not gone yet stays', () => {
    const system = small();
    const { vram, gpus, mm } = system.coordinator;
    const [gpu] = gpus;
    system.run(findDifference(system.context(0), AREA, 32, 100));
    let asked = 0;
    expect(system.run(vram.evictOf(gpu, mm, () => ++asked === 2))).toBe(Errno.OK);
    expect(system.placesOf(AREA, 32)).toEqual(['ram', 'vram0']);
    expect([...gpu.allocations].map(({ stranded }) => stranded)).toEqual([false]);
    system.checkAtRest();
    system.tearDown();
  });

  it('that cannot succeed leaves the fault to use RAM', () => {
    const system = small();
    system.run(findDifference(system.context(0), AREA, 32, 100));
    for (const page of [AREA, AREA + 16]) system.folios.get(pfnAt(system, page));
    expect(system.run(load(system.context(0), AREA + 32))).toBe(132);
    expect(system.placeOf(AREA + 32)).toBe('ram');
    // Each is tried once, not again and again.
    expect(system.seen.filter(({ name }) => name === 'driver.vramEvict')).toHaveLength(2);
    for (const page of [AREA, AREA + 16]) system.folios.put(pfnAt(system, page));
    system.checkAtRest();
    system.tearDown();
  });

  it('tries memory last that could not go the last time', () => {
    const system = small({ vramPages: 48 });
    const [gpu] = system.coordinator.gpus;
    system.run(findDifference(system.context(0), AREA, 48, 100));
    const [first, second, third] = gpu.allocations;
    system.folios.get(pfnAt(system, AREA));
    expect(system.run(load(system.context(0), AREA + 48))).toBe(148);
    expect([first, second, third].map(({ released }) => released)).toEqual([false, true, false]);
    expect(system.placeOf(AREA + 48)).toBe('vram0');
    const order = [...gpu.lru].map((resident) =>
      resident === third ? 'third' : resident === first ? 'first' : '?',
    );
    expect(order).toEqual(['third', 'first', '?']);
    system.folios.put(pfnAt(system, AREA));
    system.checkAtRest();
    system.tearDown();
  });

  it('that finds the memory unmapped meanwhile just reuses it', () => {
    const system = small();
    system.run(findDifference(system.context(0), AREA, 32, 100));
    system.run(system.cpus[0].munmap(vpn(AREA), 32));
    expect(system.devices[0].gpu.vram.usedPages).toBe(0);
    expect(system.run(findDifference(system.context(0), AREA + 32, 32, 132))).toBe(null);
    system.checkAtRest();
    system.tearDown();
  });
});

describe('a device that cannot give memory', () => {
  it('leaves them in RAM when one allocation fails', () => {
    const system = small();
    system.devices[0].gpu.vram.shouldFail = () => true;
    expect(system.run(findDifference(system.context(0), AREA, 16, 100))).toBe(null);
    expect(system.placesOf(AREA, 64)).toEqual(['ram']);
    system.checkAtRest();
    system.tearDown();
  });
});

function pfnAt(system: System, page: number): ReturnType<typeof ptePfn> {
  return ptePfn(system.pte(page));
}
