/** Others at work while a mirror device migrates: whatever comes first, its table never names a page that is gone. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import type { PageSink } from '../../../src/driver/mirror/mirrorResult.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import type { Steps } from '../../../src/sim/steps.js';
import { mapFixed, run, runAll } from '../../mm/harness.js';
import { BUF, MirrorMachine, type MirrorMachineOptions } from './harness.js';

function seeds(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

const ignore: PageSink = { take: () => {} };

function* dropping(m: MirrorMachine, off: number, npages: number): Steps<void> {
  yield* m.machine.calls.madvise.madvise(m.mm, vpn(BUF + off), npages, Madvise.DontNeed);
}

function* migrating(m: MirrorMachine, npages: number): Steps<void> {
  const { errno } = yield* m.driver.migrateToDevice(m.contexts[0], vpn(BUF), npages, ignore);
  expect([Errno.OK, Errno.ENOENT]).toContain(errno);
}

function* reading(m: MirrorMachine, off: number): Steps<void> {
  expect(yield* m.cpu.load(BUF + off)).toBe(1 + off);
}

function machineOf(npages: number, options: MirrorMachineOptions): MirrorMachine {
  const m = new MirrorMachine(options);
  mapFixed(m.machine, m.mm, BUF, npages);
  run(m.machine.kernel, m.machine.calls.madvise.madvise(m.mm, vpn(BUF), npages, Madvise.HugePage));
  return m;
}

describe('MADV_DONTNEED during a migration to the device', () => {
  it.each(seeds(300))('of small pages (seed %i)', (seed) => {
    const m = machineOf(8, { seed, pagesPerStep: 1 });
    m.store(0, 8, 1);
    runAll(m.machine.kernel, [migrating(m, 8), dropping(m, 2, 3)]);
    m.check();
    expect(m.read(0, 0, 8)).toEqual(m.load(0, 8));
    m.check();
  });

  it.each(seeds(40))('of a part of a huge page (seed %i)', (seed) => {
    const memory = { ramPages: 4 * PMD_PAGES, vramPages: [2 * PMD_PAGES], chunkPages: PMD_PAGES };
    const m = machineOf(PMD_PAGES, { seed, pagesPerStep: 512, ...memory });
    m.store(0, 1, 1);
    runAll(m.machine.kernel, [migrating(m, PMD_PAGES), dropping(m, 2, 3)]);
    m.check();
    expect(m.read(0, 0, 8)).toEqual(m.load(0, 8));
    m.check();
  });
});

describe('a context that is closed while the CPU faults on its pages', () => {
  it.each(seeds(60))('leaves them with what they held (seed %i)', (seed) => {
    const m = machineOf(4, { seed, pagesPerStep: 1 });
    const { kernel } = m.machine;
    m.store(0, 4, 1);
    m.toDevice(0, 0, 4);
    const [device] = m.driver.devices;
    runAll(kernel, [device.close(m.contexts[0]), ...[0, 1, 2, 3].map((i) => reading(m, i))]);
    m.check();
    expect(m.load(0, 4)).toEqual([1, 2, 3, 4]);
    expect([device.memory.countUsed(), m.contexts[0].pagesInUse]).toEqual([0, 0]);
    m.check();
  });
});

describe('an eviction during a migration to the device', () => {
  it.each(seeds(60))('leaves no entry behind (seed %i)', (seed) => {
    const m = machineOf(8, { seed, pagesPerStep: 1 });
    m.store(0, 8, 1);
    runAll(m.machine.kernel, [migrating(m, 8), m.driver.devices[0].evictAll()]);
    m.check();
    expect(m.load(0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    m.check();
  });
});
