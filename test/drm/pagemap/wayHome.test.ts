/** The way home in its details: passes of an eviction, whose end `detached` tells, the timeslice, forked pages, large folios without large RAM. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_ORDER, PMD_PAGES, vpn } from '../../../src/base/units.js';
import type { Devmem } from '../../../src/drm/pagemap/devmem.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { NO_PFN, type Pfn } from '../../../src/memory/pfn.js';
import { ThpMode } from '../../../src/mm/kernel.js';
import { type Steps, stepDefinition } from '../../../src/sim/steps.js';
import { runAll, TestCpu } from '../../mm/harness.js';
import { DrmMachine, type TestGpu } from '../harness.js';

const AREA = 0x1000;

let drm: DrmMachine;
let a: TestGpu;
let devmem: Devmem;

function use(machine: DrmMachine): void {
  drm = machine;
  [a] = machine.gpus;
}

function numbers(npages: number, start = AREA): number[] {
  return Array.from({ length: npages }, (_, i) => start + i);
}

function migrated(npages = 8): void {
  drm.mapFilled(AREA, npages);
  devmem = a.allocate(npages);
  expect(drm.run(a.migrateHere(AREA, npages, {}, devmem))).toBe(Errno.OK);
}

/** Arguments of each time that a step was taken during `body`. */
function argsOf(name: string, body: () => void): number[][] {
  const seen: number[][] = [];
  const { sched } = drm.kernel;
  sched.observer = {
    onStep: (_task, step, ...args) => {
      if (stepDefinition(step).name === name) seen.push(args);
    },
  };
  body();
  sched.observer = null;
  return seen;
}

beforeEach(() => use(new DrmMachine()));

describe('the passes of an eviction', () => {
  beforeEach(() => migrated());

  it('are one where all pages go', () => {
    const retries = argsOf('pagemap.evictRetry', () => {
      expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    });
    expect([retries, devmem.detached.isDone, devmem.released]).toEqual([[], true, true]);
  });

  it('are three where a page stays, each with what the last one said', () => {
    const pfn = drm.pfnOf(AREA + 3);
    drm.kernel.folios.get(pfn);
    const retries = argsOf('pagemap.evictRetry', () => {
      expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.EBUSY);
    });
    expect(retries.map(([, , errno]) => errno)).toEqual([Errno.OK, Errno.OK]);
    expect(devmem.detached.isDone).toBe(false);
    drm.kernel.folios.put(pfn);
  });

  it('end with the last error, not with the first', () => {
    let copies = 0;
    a.onCopy = function* () {
      a.copyErrno = ++copies === 3 ? Errno.ENOSPC : Errno.EIO;
    };
    const retries = argsOf('pagemap.evictRetry', () => {
      expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.ENOSPC);
    });
    expect(retries.map(([, , errno]) => errno)).toEqual([Errno.EIO, Errno.EIO]);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    drm.checkAtRest();
  });

  it('succeed after an error when the next one succeeds', () => {
    let copies = 0;
    a.onCopy = function* () {
      a.copyErrno = ++copies === 1 ? Errno.EIO : Errno.OK;
    };
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect([drm.peek(AREA, 8), drm.places(AREA, 1)]).toEqual([numbers(8), ['ram']]);
  });

  it('begin anew with no destination of the last one: what has gone needs none', () => {
    const pfn = drm.pfnOf(AREA + 3);
    drm.kernel.folios.get(pfn);
    const before = drm.kernel.ram.usedPages;
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.EBUSY);
    expect(drm.kernel.ram.usedPages - before).toBe(7);
    drm.kernel.folios.put(pfn);
    drm.checkAtRest();
  });

  it('each need a user of the address space: -EFAULT when that ends between two of them', () => {
    const pfn = drm.pfnOf(AREA + 3);
    drm.kernel.folios.get(pfn);
    let ended = false;
    const { sched } = drm.kernel;
    sched.observer = {
      onStep: (_task, step) => {
        if (stepDefinition(step).name !== 'pagemap.evictRetry' || ended) return;
        ended = true;
        expect(drm.mm.users).toBe(1);
        drm.mm.users = 0;
      },
    };
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.EFAULT);
    sched.observer = null;
    expect(ended).toBe(true);
  });

  it('do not look at memory that was given back meanwhile: it may be others’', () => {
    const unmapLast = function* (): Steps<Errno> {
      return yield* drm.machine.calls.memoryMap.munmap(drm.mm, vpn(AREA), 8);
    };
    for (let seed = 1; seed <= 10; seed++) {
      use(new DrmMachine({ seed, pagesPerStep: 1 }));
      migrated();
      const [errno] = runAll<Errno>(drm.kernel, [drm.migrate.evictToRam(devmem), unmapLast()]);
      expect(errno).toBe(Errno.OK);
      expect([devmem.released, drm.zdds.live]).toEqual([true, 0]);
      drm.checkAtRest();
    }
  });

  it('are not ended by pages that are free: only by the last one', () => {
    drm.run(drm.machine.calls.memoryMap.munmap(drm.mm, vpn(AREA), 7));
    expect(devmem.detached.isDone).toBe(false);
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect(drm.peek(AREA + 7, 1)).toEqual([AREA + 7]);
  });
});

describe('`detached`', () => {
  it('comes with the last page, whoever waits and however it goes', () => {
    migrated();
    const waiter = function* (): Steps<number> {
      yield* devmem.detached.wait();
      return drm.zdds.live;
    };
    const [live] = runAll<unknown>(drm.kernel, [waiter(), drm.cpu.load(AREA)]);
    expect([live, devmem.released]).toEqual([0, true]);
  });

  it('does not come while the fault that brings the pages home still uses the data', () => {
    migrated();
    const zdd = drm.migrate.zddOf(drm.pfnOf(AREA));
    a.onCopy = function* () {
      // 8 pages and the fault.
      expect(zdd.refs).toBe(9);
    };
    drm.run(drm.cpu.load(AREA));
    expect([zdd.refs, devmem.detached.isDone]).toEqual([0, true]);
  });
});

describe('pages that two processes share after a fork', () => {
  it('come home for both when one of them touches them', () => {
    migrated();
    const { fork } = drm.machine.calls;
    const made = drm.run(fork.fork(drm.mm, 2));
    if (typeof made === 'number') throw new Error(`fork: ${made}`);
    const cpu = new TestCpu(drm.machine, made, 1);
    expect(drm.run(cpu.load(AREA + 2))).toBe(AREA + 2);
    expect(new Set(drm.places(AREA, 8))).toEqual(new Set(['ram']));
    expect([drm.read(AREA, 8), devmem.released]).toEqual([numbers(8), true]);
    drm.run(drm.machine.calls.exit.mmput(made));
  });

  it('come home for both when they are evicted, and neither sees the other’s stores afterwards', () => {
    migrated();
    const made = drm.run(drm.machine.calls.fork.fork(drm.mm, 2));
    if (typeof made === 'number') throw new Error(`fork: ${made}`);
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    const cpu = new TestCpu(drm.machine, made, 1);
    drm.run(drm.cpu.store(AREA, 1));
    drm.run(cpu.store(AREA + 1, 2));
    expect(drm.read(AREA, 2)).toEqual([1, AREA + 1]);
    expect([drm.run(cpu.load(AREA)), drm.run(cpu.load(AREA + 1))]).toEqual([AREA, 2]);
    drm.run(drm.machine.calls.exit.mmput(made));
  });
});

describe('a timeslice', () => {
  const costs = { cpuFaultNs: 1000, migratePageNs: 0, hmmPageNs: 0, tlbShootdownNs: 0, syscallNs: 0 };

  it.each([1_000, 10_000, 100_000])(
    'delays a CPU fault until it ends, and not much longer (%i ns)',
    (timesliceNs) => {
      use(new DrmMachine({ costs }));
      drm.mapFilled(AREA, 4);
      devmem = a.allocate(4);
      drm.run(a.migrateHere(AREA, 4, { timesliceNs }, devmem));
      expect(drm.run(drm.cpu.load(AREA))).toBe(AREA);
      const late = drm.kernel.sched.now() - devmem.timesliceExpirationNs;
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThanOrEqual(4 * costs.cpuFaultNs);
    },
  );

  it('keeps nobody from evicting', () => {
    use(new DrmMachine({ costs }));
    drm.mapFilled(AREA, 4);
    devmem = a.allocate(4);
    drm.run(a.migrateHere(AREA, 4, { timesliceNs: 1_000_000 }, devmem));
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect(drm.kernel.sched.now()).toBeLessThan(1_000_000);
  });

  it('is that of the last migration: none means none', () => {
    use(new DrmMachine({ costs, vramPages: [64, 64] }));
    drm.mapFilled(AREA, 4);
    drm.run(a.migrateHere(AREA, 4, { timesliceNs: 1_000_000 }));
    drm.run(drm.gpus[1].migrateHere(AREA, 4));
    expect(drm.run(drm.cpu.load(AREA))).toBe(AREA);
    expect(drm.kernel.sched.now()).toBeLessThan(100_000);
  });
});

describe('a large folio on the device', () => {
  const BIG = PMD_PAGES * 8;

  beforeEach(() => {
    use(new DrmMachine({ ramPages: 4 * PMD_PAGES, vramPages: [2 * PMD_PAGES, 2 * PMD_PAGES] }));
    drm.kernel.thp = ThpMode.Always;
    drm.mapFilled(BIG, PMD_PAGES);
    devmem = a.allocate(PMD_PAGES);
    expect(drm.run(a.migrateHere(BIG, PMD_PAGES, {}, devmem))).toBe(Errno.OK);
    expect(drm.kernel.folios.order(drm.pfnOf(BIG))).toBe(PMD_ORDER);
  });

  function failHuge(): FailureInjector {
    const injector = new FailureInjector();
    drm.kernel.injectFailures(injector);
    injector.failNext(AllocSite.HugePage, 3);
    return injector;
  }

  it('comes home as pages for the CPU when RAM has no large one: the access must not die of it', () => {
    const injector = failHuge();
    expect(drm.run(drm.cpu.load(BIG + 7))).toBe(BIG + 7);
    expect(injector.injected).toBe(1);
    drm.kernel.injectFailures(null);
    expect(drm.kernel.folios.order(drm.pfnOf(BIG))).toBe(0);
    expect([drm.peek(BIG, PMD_PAGES), devmem.released]).toEqual([numbers(PMD_PAGES, BIG), true]);
    drm.checkAtRest();
  });

  it('kills the access only when there are no small ones either; then it stays whole', () => {
    failHuge();
    drm.kernel.allocPage = () => NO_PFN as Pfn;
    expect(drm.run(drm.cpu.load(BIG + 7))).toBe(Errno.EFAULT);
    drm.kernel.injectFailures(null);
    expect(drm.kernel.folios.order(drm.pfnOf(BIG))).toBe(PMD_ORDER);
    expect([drm.peek(BIG, PMD_PAGES), devmem.released]).toEqual([numbers(PMD_PAGES, BIG), false]);
    drm.checkAtRest();
  });

  it('cannot be split by an eviction, which has no area: -EBUSY, and it stays whole', () => {
    const injector = failHuge();
    const free = drm.kernel.ram.freePages;
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.EBUSY);
    expect(injector.injected).toBe(3);
    drm.kernel.injectFailures(null);
    expect(drm.kernel.ram.freePages).toBe(free);
    expect(drm.kernel.folios.order(drm.pfnOf(BIG))).toBe(PMD_ORDER);
    expect(drm.run(drm.migrate.evictToRam(devmem))).toBe(Errno.OK);
    expect(drm.peek(BIG, PMD_PAGES)).toEqual(numbers(PMD_PAGES, BIG));
    drm.checkAtRest();
  });

  it('is one of the data’s references, and one for each of its pages once it is split', () => {
    const zdd = drm.migrate.zddOf(drm.pfnOf(BIG + 9));
    expect(zdd.refs).toBe(1);
    drm.run(drm.machine.calls.memoryMap.munmap(drm.mm, vpn(BIG), 16));
    drm.run(drm.cpu.load(BIG + 16));
    expect([zdd.refs, devmem.released]).toEqual([0, true]);
    drm.checkAtRest();
  });
});
