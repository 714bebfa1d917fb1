/** What one migration to a device may find: every kind of source in any order, earlier work on the memory, drivers that lack something. */

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { DmaFence } from '../../../src/drm/dmaFence.js';
import { Devmem } from '../../../src/drm/pagemap/devmem.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { NO_PFN } from '../../../src/memory/pfn.js';
import { type Steps, stepDefinition } from '../../../src/sim/steps.js';
import { runAll } from '../../mm/harness.js';
import { DrmMachine, type TestGpu } from '../harness.js';

const AREA = 0x1000;

let drm: DrmMachine;
let a: TestGpu;
let b: TestGpu;

function use(machine: DrmMachine): void {
  drm = machine;
  [a, b] = machine.gpus;
}

beforeEach(() => use(new DrmMachine()));

function numbers(npages: number, start = AREA): number[] {
  return Array.from({ length: npages }, (_, i) => start + i);
}

function expectNoDma(): void {
  expect(drm.gpus.map(({ system, peers }) => [system.size, peers.size])).toEqual(drm.gpus.map(() => [0, 0]));
}

function stepsOf(body: () => void, room: string): string[] {
  const names: string[] = [];
  const { sched } = drm.kernel;
  sched.observer = {
    onStep: (_task, step) => {
      const { name } = stepDefinition(step);
      if (name.startsWith(room)) names.push(name);
    },
  };
  body();
  sched.observer = null;
  return names;
}

describe('a migration that cannot begin', () => {
  it.each(['populateDevmemPfn', 'copyToDevmem', 'copyToRam'] as const)(
    'is -EOPNOTSUPP for a driver without %s, and the allocation is released',
    (missing) => {
      drm.mapFilled(AREA, 4);
      const released: Devmem[] = [];
      const ops = {
        populateDevmemPfn: () => Errno.OK,
        copyToDevmem: unreachable,
        copyToRam: unreachable,
        devmemRelease: (devmem: Devmem) => void released.push(devmem),
        pagesPerCpuFault: () => 4,
        [missing]: undefined,
      };
      const devmem = new Devmem(drm.kernel.sched, a.dpagemap, drm.mm, ops, 4, 1);
      expect(drm.run(a.migrateHere(AREA, 4, {}, devmem))).toBe(Errno.EOPNOTSUPP);
      expect([released, devmem.detached.isDone, drm.places(AREA, 1)]).toEqual([[devmem], true, ['ram']]);
    },
  );

  it('needs no driver that releases', () => {
    const ops = { pagesPerCpuFault: () => 4 };
    const devmem = new Devmem(drm.kernel.sched, a.dpagemap, drm.mm, ops, 4, 1);
    expect(drm.run(a.migrateHere(AREA, 4, {}, devmem))).toBe(Errno.EOPNOTSUPP);
    expect(devmem.released).toBe(true);
  });

  it('looks at the area before it allocates, and allocates before it raises an invalidation', () => {
    const injector = new FailureInjector();
    drm.kernel.injectFailures(injector);
    injector.failNext(AllocSite.MirrorObject);
    expect(drm.run(a.migrateHere(AREA, 4))).toBe(Errno.ENOENT);
    drm.mapFilled(AREA, 4);
    const seen = stepsOf(() => expect(drm.run(a.migrateHere(AREA, 4))).toBe(Errno.ENOMEM), 'notifier.');
    expect([seen, a.vram.usedPages]).toEqual([[], 0]);
    drm.kernel.injectFailures(null);
    drm.checkAtRest();
  });

  it('is -EBUSY when nothing at all could be collected, and has nothing to put back', () => {
    drm.mapFilled(AREA, 2);
    const pfns = numbers(2).map((page) => drm.pfnOf(page));
    for (const pfn of pfns) expect(drm.kernel.folios.trylock(pfn, 4711)).toBe(true);
    const seen = stepsOf(() => expect(drm.run(a.migrateHere(AREA, 2))).toBe(Errno.EBUSY), 'migrate.');
    expect(seen).not.toContain('migrate.finalize');
    for (const pfn of pfns) drm.kernel.folios.unlock(pfn, 4711);
    expect(a.vram.usedPages).toBe(0);
    drm.checkAtRest();
  });

  it('has nothing to do when all pages are there, even where they may be moved', () => {
    drm.mapFilled(AREA, 4);
    drm.run(a.migrateHere(AREA, 4));
    const [old] = a.live;
    const devmem = a.allocate(4);
    expect(drm.run(a.migrateHere(AREA, 4, { canMigrateSamePagemap: true }, devmem))).toBe(Errno.OK);
    expect([a.live, a.released]).toEqual([[old], [devmem]]);
    drm.checkAtRest();
  });

  it('leaves no raw numbers behind when the driver fails to name its pages', () => {
    drm.mapFilled(AREA, 4);
    const populate = a.populateDevmemPfn.bind(a);
    a.populateDevmemPfn = (devmem, npages, pfns) => {
      populate(devmem, npages, pfns);
      return Errno.EIO;
    };
    const devmem = a.allocate(4);
    expect(drm.run(a.migrateHere(AREA, 4, {}, devmem))).toBe(Errno.EIO);
    expect([drm.peek(AREA, 4), a.released]).toEqual([numbers(4), [devmem]]);
    drm.checkAtRest();
  });
});

function* unreachable(): Steps<Errno> {
  throw new Error('nothing was to be copied');
}

describe('earlier work on the memory', () => {
  /** Fills the memory with rubbish after a while, as a clear or an eviction that is still under way would. */
  function* finishLater(devmem: Devmem, fence: DmaFence, errno: Errno = Errno.OK): Steps<void> {
    yield* drm.kernel.sched.sleep(1000);
    const pfns = new Uint32Array(devmem.npages);
    devmem.copyOps.populateDevmemPfn(devmem, devmem.npages, pfns);
    for (const pfn of pfns) drm.kernel.memory.words[drm.kernel.memory.wordIndex(pfn as typeof NO_PFN)] = 4711;
    fence.signal(errno);
  }

  function fenced(npages: number): { devmem: Devmem; fence: DmaFence } {
    const devmem = b.allocate(npages);
    const fence = new DmaFence(drm.kernel.sched, 'earlier work');
    devmem.preMigrateFence = fence;
    return { devmem, fence };
  }

  it.each([
    ['RAM', [], true],
    ['another device', [AREA], true],
    ['another device that cannot write to it', [AREA], false],
    ['RAM, another device and RAM again', [AREA + 2], true],
  ])('ends before anything is copied from %s', (_, onPeer, sourcePeerMigrates) => {
    drm.mapFilled(AREA, 8);
    for (const start of onPeer) drm.run(a.migrateHere(start, start === AREA ? 8 : 4));
    const { devmem, fence } = fenced(8);
    const errnos = runAll<unknown>(drm.kernel, [
      b.migrateHere(AREA, 8, { sourcePeerMigrates }, devmem),
      finishLater(devmem, fence),
    ]);
    expect(errnos[0]).toBe(Errno.OK);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    expect([drm.kernel.sched.now() >= 1000, devmem.preMigrateFence]).toEqual([true, null]);
    drm.checkAtRest();
  });

  it('that failed is an error of the migration, which leaves everything where it was', () => {
    drm.mapFilled(AREA, 4);
    const { devmem, fence } = fenced(4);
    const work = finishLater(devmem, fence, Errno.EIO);
    const [errno] = runAll<unknown>(drm.kernel, [b.migrateHere(AREA, 4, {}, devmem), work]);
    expect([errno, drm.places(AREA, 4), b.released]).toEqual([Errno.EIO, new Array(4).fill('ram'), [devmem]]);
    expectNoDma();
    drm.checkAtRest();
  });

  it('counts in the timeslice: that begins when the copies are done', () => {
    drm.mapFilled(AREA, 4);
    const { devmem, fence } = fenced(4);
    runAll<unknown>(drm.kernel, [
      b.migrateHere(AREA, 4, { timesliceNs: 500 }, devmem),
      finishLater(devmem, fence),
    ]);
    expect(devmem.timesliceExpirationNs).toBe(1500);
  });
});

describe('a fence', () => {
  it('is signalled once', () => {
    const fence = new DmaFence(drm.kernel.sched, 'work');
    expect(fence.isSignalled).toBe(false);
    fence.signal();
    expect([fence.isSignalled, drm.run(fence.wait())]).toEqual([true, Errno.OK]);
    expect(() => fence.signal()).toThrow('twice');
  });
});

describe('a source that cannot write to its peers', () => {
  const pull = { sourcePeerMigrates: false };

  it('is read by the destination', () => {
    drm.mapFilled(AREA, 8);
    drm.run(a.migrateHere(AREA + 2, 4));
    a.copies.length = 0;
    expect(drm.run(b.migrateHere(AREA, 8, pull))).toBe(Errno.OK);
    expect([a.copies, b.copies]).toEqual([[], ['to devmem 2', 'to devmem 4', 'to devmem 2']]);
    expect(drm.peek(AREA, 8)).toEqual(numbers(8));
    expect(a.vram.usedPages).toBe(0);
    expectNoDma();
    drm.checkAtRest();
  });

  it('is -EFAULT when it cannot be reached, and nothing has changed', () => {
    drm.mapFilled(AREA, 4);
    drm.run(a.migrateHere(AREA, 4));
    a.deviceMapsLeft = 2;
    expect(drm.run(b.migrateHere(AREA, 4, pull))).toBe(Errno.EFAULT);
    expect([drm.places(AREA, 4), b.vram.usedPages]).toEqual([new Array(4).fill('vram0'), 0]);
    expectNoDma();
    drm.checkAtRest();
  });
});

describe('runs', () => {
  it('go on over the allocations of one device', () => {
    drm.mapFilled(AREA, 8);
    for (const start of [AREA, AREA + 4]) drm.run(a.migrateHere(start, 4));
    const old = a.live;
    a.copies.length = 0;
    expect(drm.run(b.migrateHere(AREA, 8))).toBe(Errno.OK);
    expect([a.copies, b.copies, a.released]).toEqual([['to ram 8'], [], old]);
    drm.checkAtRest();
  });

  it('end with the source, at every kind of page, and the last one is copied too', () => {
    use(new DrmMachine({ vramPages: [64, 64, 64] }));
    const [, , c] = drm.gpus;
    drm.map(AREA, 12);
    for (const page of [0, 1, 4, 5, 6, 7, 8, 9]) drm.touch(AREA + page);
    drm.run(drm.cpu.load(AREA + 3));
    drm.run(a.migrateHere(AREA + 4, 2));
    drm.run(c.migrateHere(AREA + 6, 2));
    drm.run(b.migrateHere(AREA + 8, 1));
    drm.run(a.migrateHere(AREA + 11, 1));
    for (const gpu of drm.gpus) gpu.copies.length = 0;
    expect(drm.places(AREA, 12)).toEqual(
      'ram ram none zero vram0 vram0 vram2 vram2 vram1 ram none vram0'.split(' '),
    );
    expect(drm.run(b.migrateHere(AREA, 12, { canMigrateSamePagemap: true }))).toBe(Errno.OK);
    expect(new Set(drm.places(AREA, 12))).toEqual(new Set(['vram1']));
    expect(a.copies).toEqual(['to ram 2', 'to ram 1']);
    expect(c.copies).toEqual(['to ram 2']);
    expect(b.copies).toEqual(['to devmem 4', 'to ram 1', 'to devmem 2']);
    const expected = [0, 1, 4, 5, 6, 7, 8, 9];
    expect(drm.peek(AREA, 12)).toEqual(numbers(12).map((n, i) => (expected.includes(i) ? n : 0)));
    expectNoDma();
    drm.checkAtRest();
  });
});

const PLACES = ['none', 'zero', 'ram', 'vram0', 'vram1', 'vram2'] as const;
type Place = (typeof PLACES)[number];

/** Where the pages of a span end up, by whom they are copied, and what it says: page by page, without arrays of entries. */
function expected(places: readonly Place[], target: number, same: boolean, push: boolean): [Errno, string[]] {
  const home: Place = PLACES[3 + target];
  const own = places.filter((place) => place === home).length;
  if (own === places.length) return [Errno.OK, []];
  if (own > 0 && !same) return [Errno.EBUSY, []];
  const sources = places.map((place) => (place.startsWith('vram') ? place : 'system'));
  const runs = sources.filter((source, i) => source !== sources[i - 1]);
  const copier = (source: string): string =>
    source === 'system' || !push ? `${home} to devmem` : `${source} to ram`;
  return [Errno.OK, runs.map(copier)];
}

describe('any mixture of sources', () => {
  it('goes to the device as a whole or not at all, with every byte, by those who should copy', () => {
    const spans = fc.array(fc.constantFrom(...PLACES), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(spans, fc.nat(2), fc.boolean(), fc.boolean(), (places, target, same, push) => {
        use(new DrmMachine({ vramPages: [32, 32, 32] }));
        arrange(places);
        const before = drm.peek(AREA, places.length);
        for (const gpu of drm.gpus) gpu.copies.length = 0;
        const copies: string[] = [];
        drm.gpus.forEach((gpu, i) => {
          gpu.onCopy = function* () {
            copies.push(`vram${i} ${gpu.copies.at(-1)?.replace(/ \d+$/, '')}`);
          };
        });
        const details = { canMigrateSamePagemap: same, sourcePeerMigrates: push };
        const errno = drm.run(drm.gpus[target].migrateHere(AREA, places.length, details));
        const [outcome, copiers] = expected(places, target, same, push);
        expect([errno, copies]).toEqual([outcome, copiers]);
        const moved = copiers.length > 0;
        expect(drm.places(AREA, places.length)).toEqual(
          places.map((place) => (moved ? `vram${target}` : place)),
        );
        expect(drm.peek(AREA, places.length)).toEqual(before);
        checkReferences();
      }),
      { numRuns: 60 },
    );
  });
});

/** Puts page i where `places[i]` says, each run of device pages with an allocation of its own per page or two. */
function arrange(places: readonly Place[]): void {
  drm.map(AREA, places.length);
  places.forEach((place, i) => {
    if (place === 'zero') drm.run(drm.cpu.load(AREA + i));
    if (place === 'ram' || place.startsWith('vram')) drm.touch(AREA + i);
    if (!place.startsWith('vram')) return;
    expect(drm.run(drm.gpus[Number(place.slice(4))].migrateHere(AREA + i, 1))).toBe(Errno.OK);
  });
  expect(drm.places(AREA, places.length)).toEqual(places);
}

/** One reference of the data per device folio, one of the pagemap per data and one of who made it; nothing is mapped for DMA. */
function checkReferences(): void {
  drm.checkAtRest();
  expectNoDma();
  const folios = new Map<number, number>();
  const end = drm.mm.vmas.find(vpn(AREA))?.end ?? AREA;
  for (let page = AREA; page < end; page++) {
    const pfn = drm.pfnOf(page);
    if (pfn === NO_PFN || !drm.kernel.memory.layout.isDevicePrivate(pfn)) continue;
    const { id } = drm.migrate.zddOf(pfn);
    folios.set(id, (folios.get(id) ?? 0) + 1);
  }
  const zdds = [...drm.zdds];
  expect(zdds.map(({ id, refs }) => [id, refs])).toEqual(zdds.map(({ id }) => [id, folios.get(id)]));
  for (const { dpagemap } of drm.gpus)
    expect(dpagemap.references).toBe(1 + zdds.filter((zdd) => zdd.dpagemap === dpagemap).length);
}
