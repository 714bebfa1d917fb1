/** Device-exclusive access: who is told when a page is lent, and that every other use takes it back. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, type Vpn, vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { NO_PFN, type Pfn } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import { pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import type { NotifierRange } from '../../../src/mm/mirror/mmuNotifier.js';
import type { Mm } from '../../../src/mm/process/mm.js';
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
} from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea, mapHugePage } from '../huge/hugeHarness.js';
import { MigratingDevice } from '../migrate/migratingDevice.js';

const AREA = 2 ** 34;
const OWNER = pagemapOwner(7);

let machine: Machine;
let kernel: Kernel;
let mm: Mm;

function build(seed = 1): void {
  machine = makeMachine({ vramPages: [8], seed });
  kernel = machine.kernel;
  mm = makeMm(kernel);
  mapFixed(machine, mm, AREA, 4);
}

beforeEach(() => build());

/** What a driver does: lend the pages, use them, let go of lock and reference. Returns how many were lent, or an errno. */
function* lend(page: number, npages: number, of: Mm = mm): Steps<number> {
  const pages = new Uint32Array(npages);
  yield* of.mmapLock.read();
  const got = yield* machine.calls.exclusive.makeRange(of, vpn(page), vpn(page + npages), pages, OWNER);
  of.mmapLock.readUnlock();
  if (got < 0) return got;
  let lent = 0;
  for (const pfn of pages) {
    if (pfn === NO_PFN) continue;
    lent++;
    kernel.folioLocks.unlock(pfn as Pfn);
    kernel.folios.put(pfn as Pfn);
  }
  return lent;
}

function store(page: number, value: number, of: Mm = mm): Errno {
  return run(kernel, new TestCpu(machine, of).store(page, value));
}

function load(page: number, of: Mm = mm): number {
  return run(kernel, new TestCpu(machine, of).load(page));
}

function kindAt(page: number, of: Mm = mm): PteKind {
  return pteKind(pteOf(of, page));
}

describe('lending pages to a device', () => {
  it('replaces each writable entry inside an EXCLUSIVE of the page, faulting in what is missing', () => {
    store(AREA, 5);
    const mirror = new RecordingNotifier(kernel, mm, AREA, 4);
    const owners: number[] = [];
    mirror.onEvent = function* ({ owner }: NotifierRange) {
      owners.push(owner);
    };
    expect(run(kernel, lend(AREA, 2))).toBe(2);
    expect(mirror.take()).toEqual([`EXCLUSIVE ${AREA}+1`, `EXCLUSIVE ${AREA + 1}+1`]);
    expect(owners).toEqual([OWNER, OWNER]);
    for (const page of [AREA, AREA + 1]) expect(kindAt(page)).toBe(PteKind.DeviceExclusive);
    const pfn = ptePfn(pteOf(mm, AREA));
    expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([1, 0]);
    expect(kernel.folios.testFlag(pfn, FolioFlag.AnonExclusive)).toBe(true);
    checkAccounting(kernel, [mm]);
  });

  it('is refused with -EFAULT without a writable area; the pages before it stay lent', () => {
    mapFixed(machine, mm, AREA + 4, 1, Prot.Read);
    expect(run(kernel, lend(AREA + 4, 1))).toBe(Errno.EFAULT);
    expect(run(kernel, lend(AREA + 8, 1))).toBe(Errno.EFAULT);
    expect(run(kernel, lend(AREA + 3, 2))).toBe(1);
    expect(kindAt(AREA + 3)).toBe(PteKind.DeviceExclusive);
    checkAccounting(kernel, [mm]);
  });

  it('passes by a page that somebody has locked', () => {
    store(AREA, 1);
    const pfn = ptePfn(pteOf(mm, AREA));
    const holdLock = function* (): Steps<number> {
      yield* kernel.folioLocks.lock(pfn);
      const lent = yield* lend(AREA, 2);
      kernel.folioLocks.unlock(pfn);
      return lent;
    };
    expect(run(kernel, holdLock())).toBe(1);
    expect([kindAt(AREA), kindAt(AREA + 1)]).toEqual([PteKind.Present, PteKind.DeviceExclusive]);
    checkAccounting(kernel, [mm]);
  });

  it('gets a page of a forked process by copying it first', () => {
    store(AREA, 5);
    const child = run(kernel, machine.calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    expect(run(kernel, lend(AREA, 1, child))).toBe(1);
    expect([kindAt(AREA), kindAt(AREA, child)]).toEqual([PteKind.Present, PteKind.DeviceExclusive]);
    expect([load(AREA), load(AREA, child)]).toEqual([5, 5]);
    checkAccounting(kernel, [mm, child]);
  });

  it('tells no process that a page was copied from: the walk ends where nothing maps the page any more', () => {
    store(AREA, 5);
    const child = run(kernel, machine.calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    store(AREA, 6, child);
    const [mirror, inChild] = [mm, child].map((of) => new RecordingNotifier(kernel, of, AREA, 4));
    expect(run(kernel, lend(AREA, 1))).toBe(1);
    expect([mirror.take(), inChild.take()]).toEqual([[`EXCLUSIVE ${AREA}+1`], []]);
    checkAccounting(kernel, [mm, child]);
  });

  it('brings a device-private page home first', () => {
    store(AREA, 9);
    run(kernel, new MigratingDevice(kernel).take(mm, AREA, 1));
    expect(run(kernel, lend(AREA, 1))).toBe(1);
    expect(kernel.memory.layout.isDevicePrivate(ptePfn(pteOf(mm, AREA)))).toBe(false);
    expect(load(AREA)).toBe(9);
  });
});

describe('lending the first page of a huge page that two areas show', () => {
  beforeEach(() => {
    machine = makeMachine({ ramPages: HUGE_RAM });
    kernel = machine.kernel;
    mm = makeMm(kernel);
    mapHugeArea(machine, mm, 3);
  });

  /** `target` is where the pages of `[from, from + npages)` go. */
  function remap(from: number, npages: number, target: number, flags: number): void {
    const args = { from: vpn(from), fromPages: npages, toPages: npages, target: vpn(target) };
    const moved = machine.calls.mremap.mremap(mm, { ...args, flags: flags | MremapFlag.MayMove });
    expect(run(kernel, moved)).toBe(target);
  }

  it('tells of as many pages as it has from each of them on, as far as the area goes', () => {
    mapHugePage(machine, mm, HUGE_AREA);
    run(kernel, machine.calls.memoryMap.munmap(mm, vpn(HUGE_AREA + 100), 1));
    const watcher = new RecordingNotifier(kernel, mm, HUGE_AREA, 2 * PMD_PAGES);
    expect(run(kernel, lend(HUGE_AREA, 1))).toBe(1);
    expect(watcher.take()).toEqual([
      `EXCLUSIVE ${HUGE_AREA}+100`,
      `EXCLUSIVE ${HUGE_AREA + 101}+${PMD_PAGES}`,
    ]);
    checkAccounting(kernel, [mm]);
  });

  it('does not reach what lies across two PMDs, the first with the leaf of another', () => {
    const half = PMD_PAGES / 2;
    const first = HUGE_AREA + 17 * PMD_PAGES;
    const apart = HUGE_AREA + 32 * PMD_PAGES;
    mapHugePage(machine, mm, HUGE_AREA + PMD_PAGES);
    remap(HUGE_AREA, 3 * PMD_PAGES, first - half, MremapFlag.Fixed);
    // The lower half goes elsewhere, so that another huge page finds room in the first PMD.
    remap(first, PMD_PAGES, apart, MremapFlag.Fixed | MremapFlag.DontUnmap);
    mapHugePage(machine, mm, first);
    expect(run(kernel, lend(apart + half, 1))).toBe(0);
    expect(kindAt(first + PMD_PAGES)).toBe(PteKind.Present);
    checkAccounting(kernel, [mm]);
  });
});

describe('a lent page', () => {
  let mirror: RecordingNotifier;
  beforeEach(() => {
    store(AREA, 5);
    run(kernel, lend(AREA, 1));
    mirror = new RecordingNotifier(kernel, mm, AREA, 4);
  });

  it.each([
    ['load', () => expect(load(AREA)).toBe(5)],
    ['store', () => expect(store(AREA, 6)).toBe(Errno.OK)],
  ])('comes back at a CPU %s, inside a CLEAR', (_what, access) => {
    access();
    expect(mirror.take()).toEqual([`CLEAR ${AREA}+1`]);
    expect(pteHas(pteOf(mm, AREA), PteBit.Write | PteBit.Dirty)).toBe(true);
    checkAccounting(kernel, [mm]);
  });

  it('comes back before it is lent again', () => {
    expect(run(kernel, lend(AREA, 1))).toBe(1);
    expect(mirror.take()).toEqual([`CLEAR ${AREA}+1`, `EXCLUSIVE ${AREA}+1`]);
    expect(kindAt(AREA)).toBe(PteKind.DeviceExclusive);
  });

  it('comes back at fork, inside its PROTECTION_PAGE, and is shared', () => {
    const child = run(kernel, machine.calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    expect(mirror.take()).toEqual([`PROTECTION_PAGE ${AREA}+4`]);
    for (const each of [mm, child]) {
      expect(kindAt(AREA, each)).toBe(PteKind.Present);
      expect(pteHas(pteOf(each, AREA), PteBit.Write)).toBe(false);
    }
    expect(load(AREA, child)).toBe(5);
    checkAccounting(kernel, [mm, child]);
  });

  it('makes fork fail while somebody has it locked', () => {
    const pfn = ptePfn(pteOf(mm, AREA));
    const forkMeanwhile = function* (): Steps<Mm | number> {
      yield* kernel.folioLocks.lock(pfn);
      const child = yield* machine.calls.fork.fork(mm, 2);
      kernel.folioLocks.unlock(pfn);
      return child;
    };
    expect(run(kernel, forkMeanwhile())).toBe(Errno.ENOMEM);
    expect(kindAt(AREA)).toBe(PteKind.DeviceExclusive);
    checkAccounting(kernel, [mm]);
    const child = run(kernel, machine.calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'fork failed');
    expect(kindAt(AREA, child)).toBe(PteKind.Present);
    checkAccounting(kernel, [mm, child]);
  });

  it('goes with munmap and MADV_DONTNEED', () => {
    expect(run(kernel, machine.calls.madvise.madvise(mm, vpn(AREA), 1, Madvise.DontNeed))).toBe(Errno.OK);
    expect(load(AREA)).toBe(0);
    run(kernel, lend(AREA + 1, 1));
    expect(run(kernel, machine.calls.memoryMap.munmap(mm, vpn(AREA), 4))).toBe(Errno.OK);
    expect(kernel.ram.usedPages).toBe(1);
  });

  it('loses its write permission with the area', () => {
    expect(run(kernel, machine.calls.mprotect.mprotect(mm, vpn(AREA), 4, Prot.Read))).toBe(Errno.OK);
    expect(kindAt(AREA)).toBe(PteKind.DeviceExclusive);
    expect([load(AREA), store(AREA, 1)]).toEqual([5, Errno.EFAULT]);
    run(kernel, machine.calls.mprotect.mprotect(mm, vpn(AREA), 4, Prot.Read | Prot.Write));
    expect([store(AREA, 1), load(AREA)]).toEqual([Errno.OK, 1]);
    checkAccounting(kernel, [mm]);
  });

  it('moves with mremap', () => {
    const move = { from: vpn(AREA), fromPages: 1, toPages: 1, flags: 3, target: vpn(AREA + 16) };
    expect(run(kernel, machine.calls.mremap.mremap(mm, move))).toBe(AREA + 16);
    expect(kindAt(AREA + 16)).toBe(PteKind.DeviceExclusive);
    expect(load(AREA + 16)).toBe(5);
    checkAccounting(kernel, [mm]);
  });

  it('is no page that migrates', () => {
    expect(run(kernel, new MigratingDevice(kernel).take(mm, AREA, 1))).toBe(0);
    expect(kindAt(AREA)).toBe(PteKind.DeviceExclusive);
    checkAccounting(kernel, [mm]);
  });

  it('goes with the process', () => {
    run(kernel, machine.calls.exit.mmput(mm));
    expect(kernel.ram.usedPages).toBe(1);
  });
});

describe('lending while others use the pages', () => {
  it('loses no store and no page', () => {
    for (let seed = 1; seed <= 40; seed++) {
      build(seed);
      for (let i = 0; i < 3; i++) store(AREA + i, 10 + i);
      const device = new MigratingDevice(kernel);
      const count = function* (): Steps<number> {
        const cpu = new TestCpu(machine, mm, 1);
        for (let i = 0; i < 3; i++) yield* cpu.store(AREA + i, 20 + i, 1);
        return 0;
      };
      runAll<Mm | number>(kernel, [
        lend(AREA, 3),
        count(),
        device.take(mm, AREA, 3),
        machine.calls.fork.fork(mm, 2),
        lend(AREA as Vpn, 2),
      ]);
      for (let i = 0; i < 3; i++) {
        expect(load(AREA + i)).toBe(10 + i);
        expect(run(kernel, new TestCpu(machine, mm).load(AREA + i, 1))).toBe(20 + i);
      }
      checkAccounting(kernel, [...kernel.mms]);
    }
  });
});
