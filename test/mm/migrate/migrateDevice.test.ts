/** migrate_device: moving pages by their frame numbers, wherever they are mapped, without an address space or its lock. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { MigratePfnFlag, migratePfn, NO_PFN, type Pfn, pfn as pfnOf } from '../../../src/memory/pfn.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import { MigrateDevice } from '../../../src/mm/migrate/migrateDevice.js';
import { MigrateUnmap } from '../../../src/mm/migrate/migrateUnmap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { Rmap } from '../../../src/mm/rmap/rmap.js';
import { PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  RecordingNotifier,
  run,
  runAll,
  TestCpu,
  TestDevice,
} from '../harness.js';

const { VALID, MIGRATE, WRITE } = MigratePfnFlag;
const AREA = 0x1000;
const NPAGES = 4;

let machine: Machine;
let kernel: Kernel;
let mm: Mm;
let cpu: TestCpu;
let device: TestDevice;
let migrate: MigrateDevice;
/** The device pages of the area, in order. */
let pfns: Pfn[];
let before: number[];

beforeEach(() => {
  machine = makeMachine({ vramPages: [64] });
  kernel = machine.kernel;
  mm = makeMm(kernel);
  cpu = new TestCpu(machine, mm);
  device = new TestDevice(kernel);
  migrate = new MigrateDevice(kernel, new MigrateUnmap(kernel, new Rmap(kernel)));
  mapFixed(machine, mm, AREA, NPAGES);
  for (let i = 0; i < NPAGES; i++) run(kernel, cpu.store(AREA + i, AREA + i));
  pfns = Array.from({ length: NPAGES }, (_, i) => device.takePage(mm, AREA + i));
  before = entries();
});

function entries(): number[] {
  return Array.from({ length: NPAGES }, (_, i) => pteOf(mm, AREA + i));
}

type Between = (src: Uint32Array, dst: Uint32Array) => Steps<void> | void;

interface Outcome {
  readonly collected: number;
  /** After collecting, and at the end. */
  readonly first: number[];
  readonly last: number[];
}

function* dance(raw: readonly number[], between: Between = giveRam): Steps<Outcome> {
  const src = Uint32Array.from(raw);
  const dst = new Uint32Array(raw.length);
  const collected = yield* migrate.pfns(src, raw.length);
  const first = Array.from(src);
  const steps = between(src, dst);
  if (steps !== undefined) yield* steps;
  yield* migrate.pages(src, dst, raw.length);
  yield* migrate.finalize(src, dst, raw.length);
  return { collected, first, last: Array.from(src) };
}

function giveRam(src: Uint32Array, dst: Uint32Array): void {
  src.forEach((entry, i) => {
    if ((entry & MIGRATE) === 0) return;
    const to = kernel.allocPage();
    kernel.folioLocks.lockNew(to);
    kernel.memory.copyPages(to, pfnOf(entry >>> 6), 1);
    dst[i] = migratePfn(to, 0);
  });
}

function giveNothing(): void {}

function read(): number[] {
  return Array.from({ length: NPAGES }, (_, i) => run(kernel, cpu.load(AREA + i)));
}

const NUMBERS = Array.from({ length: NPAGES }, (_, i) => AREA + i);

describe('pfns', () => {
  it('locks and unmaps pages and says what they are, but not whether they were writable', () => {
    const outcome = run(
      kernel,
      dance(pfns, () => {
        for (const [i, pfn] of pfns.entries()) {
          expect(kernel.folios.isLocked(pfn)).toBe(true);
          expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([1, 0]);
          const pte = pteOf(mm, AREA + i);
          expect([pteKind(pte), ptePfn(pte), pteHas(pte, PteBit.Write)]).toEqual([
            PteKind.Migration,
            pfn,
            true,
          ]);
        }
      }),
    );
    expect(outcome.collected).toBe(NPAGES);
    expect(outcome.first).toEqual(pfns.map((pfn) => migratePfn(pfn, VALID | MIGRATE)));
    expect(outcome.first.some((entry) => (entry & WRITE) !== 0)).toBe(false);
  });

  it('raises a CLEAR for each page where it is mapped, and no MIGRATE', () => {
    const seen = new RecordingNotifier(kernel, mm, AREA, 64);
    run(kernel, dance(pfns));
    expect(seen.take()).toEqual(NUMBERS.map((page) => `CLEAR ${page}+1`));
  });

  it('needs no lock of the address space', () => {
    const holder = function* (): Steps<void> {
      yield* mm.mmapLock.write();
      yield* kernel.sched.sleep(1000);
      expect(device.vram.usedPages).toBe(0);
      mm.mmapLock.writeUnlock();
    };
    const mover = function* (): Steps<void> {
      yield* kernel.sched.sleep(1);
      yield* dance(pfns);
    };
    runAll(kernel, [holder(), mover()]);
  });

  it.each<[string, () => void, () => void]>([
    ['is locked', () => kernel.folios.trylock(pfns[1], 4711), () => kernel.folios.unlock(pfns[1], 4711)],
    ['is pinned', () => kernel.folios.get(pfns[1]), () => kernel.folios.put(pfns[1])],
  ])('drops a page that %s, exactly as it was', (_, hold, release) => {
    hold();
    const refs = kernel.folios.refcount(pfns[1]);
    const outcome = run(
      kernel,
      dance(pfns, (src, dst) => {
        expect(src[1]).toBe(0);
        expect(pteOf(mm, AREA + 1)).toBe(before[1]);
        expect(kernel.folios.refcount(pfns[1])).toBe(refs);
        giveRam(src, dst);
      }),
    );
    expect(outcome.collected).toBe(NPAGES - 1);
    expect(pteOf(mm, AREA + 1)).toBe(before[1]);
    release();
    expect(device.vram.usedPages).toBe(1);
    checkAccounting(kernel, [mm]);
  });

  it('drops pages that are free, and entries without a page', () => {
    run(kernel, machine.calls.madvise.madvise(mm, vpn(AREA + 2), 1, 0));
    const outcome = run(kernel, dance([...pfns, NO_PFN]));
    expect(outcome.collected).toBe(NPAGES - 1);
    expect([outcome.first[2], outcome.first[NPAGES]]).toEqual([0, 0]);
    expect(kernel.folios.refcount(pfns[2])).toBe(0);
    checkAccounting(kernel, [mm]);
  });

  it('takes a page that is mapped nowhere but held', () => {
    kernel.folios.get(pfns[0]);
    run(kernel, machine.calls.madvise.madvise(mm, vpn(AREA), 1, 0));
    expect([kernel.folios.refcount(pfns[0]), kernel.folios.mapcount(pfns[0])]).toEqual([1, 0]);
    // One reference more than the collector's: pinned.
    expect(run(kernel, dance([pfns[0]])).collected).toBe(0);
    kernel.folios.put(pfns[0]);
    expect(device.vram.usedPages).toBe(NPAGES - 1);
  });
});

describe('pages and finalize', () => {
  it('bring every page home: entries, bytes, LRU, references', () => {
    const outcome = run(kernel, dance(pfns));
    expect(outcome.last.every((entry) => (entry & MIGRATE) !== 0)).toBe(true);
    for (const page of NUMBERS) {
      const pte = pteOf(mm, page);
      expect([pteKind(pte), pteHas(pte, PteBit.Write)]).toEqual([PteKind.Present, true]);
      expect(kernel.folios.testFlag(ptePfn(pte), FolioFlag.Lru)).toBe(true);
      expect(kernel.folios.testFlag(ptePfn(pte), FolioFlag.AnonExclusive)).toBe(true);
    }
    expect(device.vram.usedPages).toBe(0);
    checkAccounting(kernel, [mm]);
    expect(read()).toEqual(NUMBERS);
  });

  it('restore a page without a destination', () => {
    const outcome = run(kernel, dance(pfns, giveNothing));
    expect(outcome.last.some((entry) => (entry & MIGRATE) !== 0)).toBe(false);
    expect(entries()).toEqual(before);
    expect(pfns.map((pfn) => kernel.folios.testFlag(pfn, FolioFlag.AnonExclusive))).toEqual(
      new Array(NPAGES).fill(true),
    );
    checkAccounting(kernel, [mm]);
    expect(read()).toEqual(NUMBERS);
  });

  it('restore a page that gained a reference, and free its destination', () => {
    run(
      kernel,
      dance(pfns, (src, dst) => {
        giveRam(src, dst);
        kernel.folios.get(pfns[1]);
      }),
    );
    expect(entries()[1]).toBe(before[1]);
    kernel.folios.put(pfns[1]);
    checkAccounting(kernel, [mm]);
  });

  it('free a page that was thrown away meanwhile, with its destination', () => {
    run(
      kernel,
      dance(pfns, function* (src, dst) {
        giveRam(src, dst);
        yield* machine.calls.madvise.madvise(mm, vpn(AREA + 1), 1, 0);
      }),
    );
    expect(pteOf(mm, AREA + 1)).toBe(0);
    expect(device.vram.usedPages).toBe(0);
    checkAccounting(kernel, [mm]);
  });

  it('make a CPU that touches a page meanwhile wait, and find the bytes', () => {
    const toucher = function* (): Steps<number> {
      yield* kernel.sched.sleep(10);
      return yield* cpu.load(AREA + 1);
    };
    const mover = function* (): Steps<number> {
      yield* dance(pfns, function* (src, dst) {
        giveRam(src, dst);
        yield* kernel.sched.sleep(1000);
      });
      return kernel.sched.now();
    };
    expect(runAll<number>(kernel, [toucher(), mover()])).toEqual([AREA + 1, 1000]);
    expect(device.migrations).toBe(0);
    expect(run(kernel, cpu.store(AREA + 1, 5))).toBe(Errno.OK);
  });

  it('follow a mapping that moves while its page is on the way', () => {
    run(
      kernel,
      dance(pfns, function* (src, dst) {
        giveRam(src, dst);
        const args = {
          from: vpn(AREA),
          fromPages: NPAGES,
          toPages: NPAGES,
          flags: 3,
          target: vpn(AREA + 64),
        };
        yield* machine.calls.mremap.mremap(mm, args);
      }),
    );
    const moved = NUMBERS.map((page) => run(kernel, cpu.load(page + 64)));
    expect(moved).toEqual(NUMBERS);
    checkAccounting(kernel, [mm]);
  });

  it('tell apart two pages that have the same place in their mapping', () => {
    const args = { from: vpn(AREA), fromPages: 2, toPages: 2, target: vpn(AREA + 64) };
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    expect(run(kernel, machine.calls.mremap.mremap(mm, { ...args, flags }))).toBe(AREA + 64);
    // Becomes one area with the rest of the old one.
    mapFixed(machine, mm, AREA, 2);
    run(kernel, cpu.store(AREA, 5));
    const fresh = ptePfn(pteOf(mm, AREA));
    expect(kernel.folios.index(fresh)).toBe(kernel.folios.index(pfns[0]));
    expect(kernel.folios.mapping(fresh)).toBe(kernel.folios.mapping(pfns[0]));
    expect(run(kernel, dance([fresh, pfns[0]])).collected).toBe(2);
    expect([AREA, AREA + 64].map((page) => run(kernel, cpu.load(page)))).toEqual([5, AREA]);
    checkAccounting(kernel, [mm]);
  });
});

it('a page of RAM with a slot takes the slot along to another page of RAM', () => {
  const { swapCache, folios, folioLocks } = kernel;
  const page = vpn(AREA + 16);
  mapFixed(machine, mm, page, 1);
  run(kernel, cpu.store(page, 42));
  run(kernel, machine.calls.reclaim.shrinkMm(mm));
  run(kernel, cpu.load(page));
  const from = ptePfn(pteOf(mm, page));
  const slot = swapCache.slotOf(from);
  function* move(): Steps<Pfn> {
    const src = new Uint32Array([from]);
    const dst = new Uint32Array(1);
    expect(yield* migrate.pfns(src, 1)).toBe(1);
    const to = kernel.allocPage();
    folioLocks.lockNew(to);
    kernel.memory.copyPages(to, from, 1);
    dst[0] = migratePfn(to, 0);
    yield* migrate.pages(src, dst, 1);
    yield* migrate.finalize(src, dst, 1);
    return to;
  }
  const to = run(kernel, move());
  expect([ptePfn(pteOf(mm, page)), swapCache.slotOf(to), folios.refcount(from)]).toEqual([to, slot, 0]);
  expect(run(kernel, cpu.load(page))).toBe(42);
  checkAccounting(kernel, [mm]);
  run(kernel, machine.calls.reclaim.shrinkMm(mm));
  expect(run(kernel, cpu.load(page))).toBe(42);
  checkAccounting(kernel, [mm]);
});
