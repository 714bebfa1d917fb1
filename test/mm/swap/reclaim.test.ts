/** Reclaim and swap: where the bytes go, who keeps whom from going, and that every page comes back as it was. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { NO_PFN, type Pfn } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { VmFlag } from '../../../src/mm/area/vma.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { swapSlotOf } from '../../../src/mm/swap/swapCache.js';
import { formatPte, PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import { STEP, type Steps } from '../../../src/sim/steps.js';
import { forEachFailure } from '../failureLoop.js';
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
  wordsOf,
} from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea, mapHugePage } from '../huge/hugeHarness.js';

const HIGH = 2 ** 34;

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  /** Returns how many pages were freed. */
  readonly reclaim: () => number;
}

/** Eight pages of which the first four were written. */
function setup(seed = 1): Setup {
  const machine = makeMachine({ seed, vramPages: [16] });
  const mm = makeMm(machine.kernel);
  const cpu = new TestCpu(machine, mm);
  mapFixed(machine, mm, HIGH, 8);
  for (let i = 0; i < 4; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
  return { machine, mm, cpu, reclaim: () => run(machine.kernel, machine.calls.reclaim.shrinkMm(mm)) };
}

it('a page that has become part of a larger one since it was found is none to be reclaimed', () => {
  const machine = makeMachine({ ramPages: HUGE_RAM });
  const mm = makeMm(machine.kernel);
  mapHugeArea(machine, mm);
  const head = mapHugePage(machine, mm, HUGE_AREA);
  const { reclaim } = machine.calls;
  expect([reclaim.isolate((head + 1) as Pfn), reclaim.isolate(head)]).toEqual([false, true]);
});

it('what is read back while its last entry goes does not stay in the cache', () => {
  let met = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const { machine, mm, cpu, reclaim } = setup(seed);
    const { kernel, calls } = machine;
    reclaim();
    const slot = swapSlotOf(pteOf(mm, HIGH));
    const isBeingRead = (): boolean => {
      const folio = kernel.swapCache.area.folioOf(slot);
      return folio !== NO_PFN && kernel.folios.isLocked(folio);
    };
    const drop = function* (): Steps<void> {
      for (let i = 0; i < 20 && !isBeingRead(); i++) yield STEP;
      if (isBeingRead()) met++;
      expect(yield* calls.madvise.madvise(mm, vpn(HIGH), 4, Madvise.DontNeed)).toBe(Errno.OK);
    };
    runAll<unknown>(kernel, [cpu.load(HIGH), drop()]);
    expect(kernel.swapCache.area.usedSlots).toBe(0);
    checkAccounting(kernel, [mm]);
  }
  expect(met).toBeGreaterThan(0);
});

describe('reclaim', () => {
  it('writes pages to swap, page by page inside a CLEAR invalidation, and frees them', () => {
    const { machine, mm, cpu, reclaim } = setup();
    run(machine.kernel, cpu.load(HIGH + 5));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    expect(reclaim()).toBe(4);
    expect(mirror.take()).toEqual([0, 1, 2, 3].map((i) => `CLEAR ${HIGH + i}+1`));
    expect(machine.kernel.ram.usedPages).toBe(1);
    expect(machine.kernel.swapCache.area.usedSlots).toBe(4);
    expect(machine.kernel.swapCache.area.writes).toBe(4);
    expect(pteKind(pteOf(mm, HIGH))).toBe(PteKind.Swap);
    expect(pteHas(pteOf(mm, HIGH), PteBit.Exclusive)).toBe(true);
    checkAccounting(machine.kernel, [mm]);
    expect([0, 1, 2, 3, 4].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([10, 11, 12, 13, 0]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('drops a page that was only read since without writing it again; a written one is written again', () => {
    const { machine, cpu, reclaim } = setup();
    reclaim();
    for (let i = 0; i < 4; i++) run(machine.kernel, cpu.load(HIGH + i));
    run(machine.kernel, cpu.store(HIGH, 99));
    expect(reclaim()).toBe(4);
    expect(machine.kernel.swapCache.area.writes).toBe(5);
    expect([0, 1].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([99, 11]);
  });

  it('gives up the slot at a write fault, which makes it useless, and keeps it at a read fault', () => {
    const { machine, mm, cpu, reclaim } = setup();
    reclaim();
    run(machine.kernel, cpu.store(HIGH, 1));
    run(machine.kernel, cpu.load(HIGH + 1));
    const { folios, swapCache } = machine.kernel;
    expect(folios.testFlag(ptePfn(pteOf(mm, HIGH)), FolioFlag.Swapcache)).toBe(false);
    expect(folios.testFlag(ptePfn(pteOf(mm, HIGH + 1)), FolioFlag.Swapcache)).toBe(true);
    expect(swapCache.area.usedSlots).toBe(3);
    checkAccounting(machine.kernel, [mm]);
  });

  it('gives up the slots of pages that are locked, though they are only read', () => {
    const { machine, mm, reclaim } = setup();
    const { kernel, calls } = machine;
    reclaim();
    run(kernel, calls.mprotect.mprotect(mm, vpn(HIGH), 4, Prot.Read));
    expect(run(kernel, calls.mlock.mlock(mm, vpn(HIGH), 4))).toBe(Errno.OK);
    expect([kernel.swapCache.size, kernel.swapCache.area.usedSlots]).toEqual([0, 0]);
    checkAccounting(kernel, [mm]);
  });

  it('lets parent and child share what is swapped out at a fork, until one of them stores', () => {
    const { machine, mm, cpu, reclaim } = setup();
    const { kernel, calls } = machine;
    reclaim();
    const child = run(kernel, calls.fork.fork(mm, 2));
    if (typeof child === 'number') throw new Error('fork failed');
    const other = new TestCpu(machine, child, 1);
    run(kernel, cpu.load(HIGH));
    run(kernel, cpu.store(HIGH, 99));
    run(kernel, other.store(HIGH + 1, 77));
    expect([0, 1, 2].map((i) => run(kernel, other.load(HIGH + i)))).toEqual([10, 77, 12]);
    expect([0, 1, 2].map((i) => run(kernel, cpu.load(HIGH + i)))).toEqual([99, 11, 12]);
    checkAccounting(kernel, [mm, child]);
  });

  it('maps no page that has lost its slot to another one while the fault waited for its lock', () => {
    const { machine, mm, cpu, reclaim } = setup();
    const { kernel } = machine;
    const { folios, folioLocks, swapCache } = kernel;
    reclaim();
    const pte = pteOf(mm, HIGH);
    const slot = swapSlotOf(pte);
    const readAhead = kernel.allocPage();
    swapCache.readIn(slot, readAhead);
    function* replace(): Steps<number> {
      yield* folioLocks.lock(readAhead);
      while (folios.refcount(readAhead) < 3) yield STEP;
      folioLocks.unlock(readAhead);
      // Before the fault goes on its page is unmapped, written anew and swapped out again, to the same slot.
      swapCache.releaseEntry(pte);
      const next = kernel.allocPage();
      wordsOf(kernel, next)[0] = 55;
      folioLocks.lockNew(next);
      expect(swapCache.add(next) && swapCache.slotOf(next) === slot).toBe(true);
      swapCache.area.duplicate(slot);
      swapCache.writeOut(next);
      swapCache.remove(next);
      folioLocks.unlock(next);
      folios.put(next);
      return Errno.OK;
    }
    function* load(): Steps<number> {
      while (!folios.isLocked(readAhead)) yield STEP;
      return yield* cpu.load(HIGH);
    }
    expect(runAll<number>(kernel, [replace(), load()])).toEqual([Errno.OK, 55]);
    folios.put(readAhead);
    checkAccounting(kernel, [mm]);
  });

  it('leaves pages alone that are locked by mlock, pinned, on a device, or held by somebody', () => {
    const { machine, mm, cpu, reclaim } = setup();
    const { kernel } = machine;
    const device = new TestDevice(kernel);
    device.takePage(mm, HIGH);
    const pinned = ptePfn(pteOf(mm, HIGH + 1));
    kernel.pins.pin(pinned);
    const held = ptePfn(pteOf(mm, HIGH + 2));
    kernel.folios.get(held);
    expect(reclaim()).toBe(1);
    expect([0, 1, 3].map((i) => pteKind(pteOf(mm, HIGH + i)))).toEqual([
      PteKind.DevicePrivate,
      PteKind.Present,
      PteKind.Swap,
    ]);
    kernel.pins.unpin(pinned);
    kernel.folios.put(held);
    expect(run(kernel, cpu.load(HIGH + 2))).toBe(12);
    const vma = mm.vmas.find(vpn(HIGH));
    if (vma === null) throw new Error('no area');
    vma.flags |= VmFlag.Locked;
    expect(reclaim()).toBe(0);
    checkAccounting(kernel, [mm]);
  });

  it('splits huge pages for it, unless somebody holds one, and brings their pages back one by one', () => {
    const machine = makeMachine({ ramPages: HUGE_RAM });
    const { kernel, calls } = machine;
    const mm = makeMm(kernel);
    mapHugeArea(machine, mm, 2);
    const head = mapHugePage(machine, mm, HUGE_AREA);
    const pinned = mapHugePage(machine, mm, HUGE_AREA + PMD_PAGES);
    kernel.pins.pin(pinned);
    const mirror = new RecordingNotifier(kernel, mm, HUGE_AREA, PMD_PAGES);
    expect(run(kernel, calls.reclaim.shrinkMm(mm))).toBe(PMD_PAGES);
    // Of the leaf that is split, of the folio that is unmapped, and of its pages one by one.
    expect(mirror.take().slice(0, 3)).toEqual([
      `CLEAR ${HUGE_AREA}+${PMD_PAGES}`,
      `CLEAR ${HUGE_AREA}+${PMD_PAGES}`,
      `CLEAR ${HUGE_AREA}+1`,
    ]);
    expect([kernel.folios.refcount(head), kernel.folios.isLarge(pinned)]).toEqual([0, true]);
    checkAccounting(kernel, [mm]);
    kernel.pins.unpin(pinned);
    const cpu = new TestCpu(machine, mm);
    expect(run(kernel, cpu.load(HUGE_AREA + 300))).toBe(1300);
    expect(run(kernel, cpu.load(HUGE_AREA + PMD_PAGES + 7))).toBe(1007);
    checkAccounting(kernel, [mm]);
  });

  it('keeps the soft-dirty bit of an entry', () => {
    const { machine, mm, cpu, reclaim } = setup();
    const softDirty = (): boolean => pteHas(pteOf(mm, HIGH), PteBit.SoftDirty);
    expect(softDirty()).toBe(true);
    reclaim();
    expect(softDirty()).toBe(true);
    run(machine.kernel, cpu.load(HIGH));
    expect(softDirty()).toBe(true);
  });

  it('frees slots with munmap, DONTNEED and exit, also those whose page is in the swap cache', () => {
    const { machine, mm, cpu, reclaim } = setup();
    const { area } = machine.kernel.swapCache;
    reclaim();
    run(machine.kernel, cpu.load(HIGH + 1));
    run(machine.kernel, machine.calls.madvise.madvise(mm, vpn(HIGH), 2, Madvise.DontNeed));
    expect(area.usedSlots).toBe(2);
    run(machine.kernel, machine.calls.memoryMap.munmap(mm, vpn(HIGH + 2), 1));
    expect(area.usedSlots).toBe(1);
    run(machine.kernel, machine.calls.exit.mmput(mm));
    expect(area.usedSlots).toBe(0);
    expect(machine.kernel.ram.usedPages).toBe(1);
  });

  it('is survived by mremap and by mprotect', () => {
    const { machine, mm, cpu, reclaim } = setup();
    reclaim();
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const target = vpn(HIGH / 2);
    run(
      machine.kernel,
      machine.calls.mremap.mremap(mm, { from: vpn(HIGH), fromPages: 8, toPages: 8, flags, target }),
    );
    run(machine.kernel, machine.calls.mprotect.mprotect(mm, target, 8, Prot.Read));
    expect(run(machine.kernel, cpu.load(HIGH / 2 + 1))).toBe(11);
    expect(formatPte(pteOf(mm, HIGH / 2 + 1))).toContain('present');
    expect(pteHas(pteOf(mm, HIGH / 2 + 1), PteBit.Write)).toBe(false);
    expect(run(machine.kernel, cpu.store(HIGH / 2 + 1, 5))).toBe(Errno.EFAULT);
    run(machine.kernel, machine.calls.mprotect.mprotect(mm, target, 8, Prot.Read | Prot.Write));
    expect(run(machine.kernel, cpu.store(HIGH / 2 + 1, 5))).toBe(Errno.OK);
    checkAccounting(machine.kernel, [mm]);
  });

  it('keeps a page without a slot for it, and a read-in fails without memory; both work later', () => {
    const runs = forEachFailure(() => {
      const { machine, mm, cpu, reclaim } = setup();
      let errno = 0;
      return {
        kernel: machine.kernel,
        act: () => {
          reclaim();
          errno = run(machine.kernel, cpu.load(HIGH));
        },
        check: () => {
          expect([10, Errno.ENOMEM]).toContain(errno);
          checkAccounting(machine.kernel, [mm]);
          expect([0, 1, 2, 3].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([10, 11, 12, 13]);
        },
      };
    });
    expect(runs).toBe(5);
  });

  it('loses no store, whatever runs beside it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
        const { machine, mm, cpu } = setup(seed);
        const other = new TestCpu(machine, mm, 1);
        const shrink = (): ReturnType<typeof machine.calls.reclaim.shrinkMm> =>
          machine.calls.reclaim.shrinkMm(mm);
        runAll<number>(machine.kernel, [
          shrink(),
          other.store(HIGH, 50, 1),
          cpu.store(HIGH + 1, 60, 2),
          shrink(),
          cpu.load(HIGH),
          other.load(HIGH),
        ]);
        runAll<number>(machine.kernel, [shrink(), other.store(HIGH, 70, 3)]);
        const seen = [0, 1, 3].map((word) => run(machine.kernel, cpu.load(HIGH, word)));
        expect(seen).toEqual([10, 50, 70]);
        expect(run(machine.kernel, cpu.load(HIGH + 1, 2))).toBe(60);
        checkAccounting(machine.kernel, [mm]);
      }),
      { numRuns: 60 },
    );
  });
});
