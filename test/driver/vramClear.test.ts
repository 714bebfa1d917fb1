/** Memory that is cleared while a migration to it begins: the clear never overwrites what was copied, nor what others have there by then. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { NO_GPU_COSTS } from '../../src/device/gpuConfig.js';
import { Random } from '../../src/sim/random.js';
import type { Steps } from '../../src/sim/steps.js';
import { fill, findDifference, increment, load, System, type SystemOptions } from './harness.js';

const AREA = 0x1000;

function filled(options: SystemOptions = {}): System {
  const system = new System({ clearVram: true, ...options });
  system.map(AREA, 64);
  expect(system.run(fill(system.cpus[0], AREA, 64, 100))).toBe(Errno.OK);
  return system;
}

describe('device memory that is cleared before use', () => {
  it('holds what was migrated, and no fence afterwards', () => {
    const system = filled();
    expect(system.run(findDifference(system.context(0), AREA, 64, 100))).toBe(null);
    expect(system.placesOf(AREA, 64)).toEqual(['vram0']);
    const [gpu] = system.coordinator.gpus;
    expect([...gpu.allocations].map(({ preMigrateFence }) => preMigrateFence)).toEqual([
      null,
      null,
      null,
      null,
    ]);
    expect(system.coordinator.vram.clears.pending).toBe(0);
    system.checkAtRest();
    system.tearDown();
  });

  it('is cleared at the same time as pages are collected: the clear begins before the migration has them', () => {
    const system = filled();
    system.run(load(system.context(0), AREA));
    const names = system.seen.map(({ name, task }) => (name === 'device.copyChunk' ? `copy ${task}` : name));
    const first = names.findIndex((name) => name.startsWith('copy'));
    const collected = names.indexOf('pagemap.copied');
    expect([first >= 0, first < collected]).toEqual([true, true]);
    system.tearDown();
  });

  it('would not hold it if the copy did not wait', () => {
    // The wrong version of the step, to see that the right one matters: the clear comes last on a slow device.
    const lost: boolean[] = [];
    for (let seed = 1; seed <= 20 && !lost.includes(true); seed++) {
      const system = filled({ seed, gpuCosts: { ...NO_GPU_COSTS, copySetupNs: 1000 } });
      system.coordinator.vram.copyAfter = function* (_fence, port, src, dst, npages) {
        return yield* port.copy(src, dst, npages);
      };
      lost.push(system.run(findDifference(system.context(0), AREA, 16, 100)) !== null);
    }
    expect(lost).toContain(true);
  });

  it('takes no pages when the clear fails: they stay in RAM', () => {
    const system = filled();
    const { port } = system.coordinator.gpus[0];
    const copy = port.copy.bind(port);
    let copies = 0;
    port.copy = function* (...args) {
      if (system.executor.self.name === 'clear of VRAM') return Errno.EIO;
      copies++;
      return yield* copy(...args);
    };
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect([copies, system.placesOf(AREA, 16)]).toEqual([0, ['ram']]);
    expect(system.devices[0].gpu.vram.usedPages).toBe(0);
    system.checkAtRest();
    system.tearDown();
  });

  it('is not given to others before the clear has ended, when the migration fails early', () => {
    const system = filled();
    const { vram } = system.coordinator;
    system.coordinator.migrate.checkSpan = () => Errno.EBUSY;
    expect(system.run(load(system.context(0), AREA))).toBe(100);
    expect(system.placesOf(AREA, 16)).toEqual(['ram']);
    expect([vram.clears.pending, system.devices[0].gpu.vram.usedPages]).toEqual([0, 0]);
    system.checkAtRest();
    system.tearDown();
  });

  it.each([1, 2, 3, 4])('loses no store under memory pressure (seed %i)', (seed) => {
    const system = filled({ seed, vramPages: 32, pagesPerStep: 4, devices: 2 });
    const done = new Map<string, number>();
    const add = function* (port: Parameters<typeof increment>[0], word: number): Steps<void> {
      const random = new Random(seed, word);
      for (let i = 0; i < 10; i++) {
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
    system.tearDown();
  });
});
