/** fork: what parent and child share, what each sees after the other writes or exits, and what mirrors are told. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import type { Pfn } from '../../../src/memory/pfn.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { VmFlag } from '../../../src/mm/area/vma.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import { ExclusiveEntries } from '../../../src/mm/mirror/exclusiveEntries.js';
import { CopyPageRange } from '../../../src/mm/process/copyPageRange.js';
import { Fork } from '../../../src/mm/process/fork.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { makePte, PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import { type FailureTrial, forEachFailure } from '../failureLoop.js';
import {
  areasOf,
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  RecordingNotifier,
  run,
  runAll,
  StepRecorder,
  TestCpu,
} from '../harness.js';
import { MigratingDevice } from '../migrate/migratingDevice.js';

const AREA = 2 ** 34;

let machine: Machine;
let kernel: Kernel;
let parent: Mm;
let nextId = 2;

function build(seed = 1): void {
  machine = makeMachine({ vramPages: [16], seed });
  kernel = machine.kernel;
  parent = makeMm(kernel);
  nextId = 2;
}

beforeEach(() => build());

function forkOf(mm: Mm): Mm {
  const child = run(kernel, machine.calls.fork.fork(mm, nextId++));
  assert(typeof child !== 'number', 'fork failed');
  return child;
}

function store(mm: Mm, page: number, value: number): Errno {
  return run(kernel, new TestCpu(machine, mm).store(page, value));
}

function load(mm: Mm, page: number): number {
  return run(kernel, new TestCpu(machine, mm).load(page));
}

function exit(mm: Mm): void {
  run(kernel, machine.calls.exit.mmput(mm));
}

function pfnOf(mm: Mm, page: number): Pfn {
  return ptePfn(pteOf(mm, page));
}

/** Maps and writes `npages` pages of the parent: page i holds 10 + i. */
function fill(npages: number): void {
  mapFixed(machine, parent, AREA, npages);
  for (let i = 0; i < npages; i++) store(parent, AREA + i, 10 + i);
}

describe('fork of anonymous memory', () => {
  it('maps each page in both, read-only, and exclusive to neither', () => {
    fill(3);
    const child = forkOf(parent);
    expect(areasOf(child)).toEqual(areasOf(parent));
    for (let i = 0; i < 3; i++) {
      const pfn = pfnOf(parent, AREA + i);
      expect(pfnOf(child, AREA + i)).toBe(pfn);
      expect(pteHas(pteOf(parent, AREA + i), PteBit.Write)).toBe(false);
      expect(pteHas(pteOf(child, AREA + i), PteBit.Write)).toBe(false);
      expect(pteHas(pteOf(child, AREA + i), PteBit.Young)).toBe(false);
      expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([2, 2]);
      expect(kernel.folios.testFlag(pfn, FolioFlag.AnonExclusive)).toBe(false);
    }
    checkAccounting(kernel, [parent, child]);
  });

  it('lets each see its own stores only', () => {
    fill(4);
    const child = forkOf(parent);
    store(parent, AREA, 100);
    store(child, AREA + 1, 200);
    expect([0, 1, 2].map((i) => load(parent, AREA + i))).toEqual([100, 11, 12]);
    expect([0, 1, 2].map((i) => load(child, AREA + i))).toEqual([10, 200, 12]);
    checkAccounting(kernel, [parent, child]);
  });

  it('copies once: the second writer finds the page its own', () => {
    fill(1);
    const child = forkOf(parent);
    const shared = pfnOf(parent, AREA);
    const steps = new StepRecorder(kernel);
    store(parent, AREA, 1);
    expect(steps.take().filter((name) => name === 'fault.cowBroken')).toHaveLength(1);
    expect(kernel.folios.testFlag(shared, FolioFlag.AnonExclusive)).toBe(false);
    store(child, AREA, 2);
    expect(steps.take()).toContain('fault.reused');
    steps.stop();
    expect(pfnOf(child, AREA)).toBe(shared);
    expect(kernel.folios.testFlag(shared, FolioFlag.AnonExclusive)).toBe(true);
    expect(kernel.folios.mapping(shared)).toBe(child.vmas.find(vpn(AREA))?.anonVma?.id);
    checkAccounting(kernel, [parent, child]);
  });

  it.each(['parent', 'child'])('leaves the pages to the other side when the %s exits', (leaver) => {
    fill(2);
    const child = forkOf(parent);
    const [goes, stays] = leaver === 'parent' ? [parent, child] : [child, parent];
    exit(goes);
    expect(load(stays, AREA + 1)).toBe(11);
    const pfn = pfnOf(stays, AREA);
    store(stays, AREA, 5);
    expect(pfnOf(stays, AREA)).toBe(pfn);
    expect(kernel.folios.testFlag(pfn, FolioFlag.AnonExclusive)).toBe(true);
    checkAccounting(kernel, [stays]);
    exit(stays);
    expect(kernel.ram.usedPages).toBe(1);
    expect(kernel.anonVmas.size).toBe(0);
  });

  it('goes on to grandchildren', () => {
    fill(2);
    const child = forkOf(parent);
    store(child, AREA, 20);
    const grandchild = forkOf(child);
    expect(kernel.folios.mapcount(pfnOf(parent, AREA + 1))).toBe(3);
    exit(child);
    store(grandchild, AREA + 1, 31);
    expect([load(parent, AREA), load(parent, AREA + 1)]).toEqual([10, 11]);
    expect([load(grandchild, AREA), load(grandchild, AREA + 1)]).toEqual([20, 31]);
    checkAccounting(kernel, [parent, grandchild]);
  });

  it('leaves to a fault what a fault brings in any case', () => {
    mapFixed(machine, parent, AREA, 4);
    load(parent, AREA);
    const mirror = new RecordingNotifier(kernel, parent, AREA, 4);
    const tables = kernel.tables.freeTables;
    const child = forkOf(parent);
    expect(mirror.take()).toEqual([]);
    expect(kernel.tables.freeTables).toBe(tables - 1);
    expect(load(child, AREA)).toBe(0);
  });

  it('copies the zero page of an area with pages, without counting it', () => {
    fill(1);
    mapFixed(machine, parent, AREA, 2);
    store(parent, AREA, 1);
    load(parent, AREA + 1);
    const child = forkOf(parent);
    expect(pfnOf(child, AREA + 1)).toBe(kernel.zeroPage);
    expect(store(child, AREA + 1, 9)).toBe(Errno.OK);
    expect([load(parent, AREA + 1), load(child, AREA + 1)]).toEqual([0, 9]);
    checkAccounting(kernel, [parent, child]);
  });

  it('tells the parent’s mirrors PROTECTION_PAGE, an area at a time, and the child has none', () => {
    fill(8);
    mapFixed(machine, parent, AREA + 16, 2);
    store(parent, AREA + 17, 1);
    const mirror = new RecordingNotifier(kernel, parent, AREA, 32);
    mirror.onEvent = function* () {
      expect(pteHas(pteOf(parent, AREA + 7), PteBit.Write)).toBe(true);
      mirror.onEvent = null;
    };
    const child = forkOf(parent);
    expect(mirror.take()).toEqual([`PROTECTION_PAGE ${AREA}+8`, `PROTECTION_PAGE ${AREA + 16}+2`]);
    expect(child.notifiers.intervals).toBe(0);
  });

  it('keeps what the areas are, but for locks and userfaultfd, and passes DONTCOPY by', () => {
    fill(2);
    mapFixed(machine, parent, AREA + 4, 2, Prot.Read);
    mapFixed(machine, parent, AREA + 8, 2);
    const flag = (page: number, set: number): void => {
      const vma = parent.vmas.find(vpn(page));
      if (vma !== null) vma.flags |= set;
    };
    flag(AREA, VmFlag.Locked | VmFlag.UffdMissing);
    flag(AREA + 8, VmFlag.DontCopy);
    parent.brkStart = vpn(77);
    parent.brkEnd = vpn(78);
    const child = forkOf(parent);
    expect(areasOf(child)).toEqual([`${AREA}+2 rw-`, `${AREA + 4}+2 r--`]);
    expect((child.vmas.find(vpn(AREA))?.flags ?? 0) & (VmFlag.Locked | VmFlag.UffdMissing)).toBe(0);
    expect((parent.vmas.find(vpn(AREA))?.flags ?? 0) & VmFlag.Locked).toBe(VmFlag.Locked);
    expect([child.brkStart, child.brkEnd]).toEqual([77, 78]);
    expect(load(child, AREA + 8)).toBe(Errno.EFAULT);
  });

  it('gives areas of the child that are split and moved their shared pages', () => {
    fill(6);
    const child = forkOf(parent);
    const move = { from: vpn(AREA + 2), fromPages: 2, toPages: 2, flags: 3, target: vpn(AREA + 64) };
    expect(run(kernel, machine.calls.mremap.mremap(child, move))).toBe(AREA + 64);
    store(parent, AREA + 2, 1);
    expect([load(child, AREA + 64), load(child, AREA + 65), load(child, AREA + 4)]).toEqual([12, 13, 14]);
    checkAccounting(kernel, [parent, child]);
  });
});

describe('fork of pages that are not simply present', () => {
  it('shares device pages read-only on both sides, with a reference and a mapping each', () => {
    fill(2);
    const device = new MigratingDevice(kernel);
    expect(run(kernel, device.take(parent, AREA, 2))).toBe(2);
    expect(pteHas(pteOf(parent, AREA), PteBit.Write)).toBe(true);
    const mirror = new RecordingNotifier(kernel, parent, AREA, 2);
    const child = forkOf(parent);
    expect(mirror.take()).toEqual([`PROTECTION_PAGE ${AREA}+2`]);
    for (const mm of [parent, child]) {
      expect(pteKind(pteOf(mm, AREA))).toBe(PteKind.DevicePrivate);
      expect(pteHas(pteOf(mm, AREA), PteBit.Write)).toBe(false);
    }
    const pfn = pfnOf(child, AREA);
    expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([2, 2]);
    checkAccounting(kernel, [parent, child]);
  });

  it('brings a shared device page home in all processes when one touches it, with CLEAR in the others', () => {
    fill(1);
    const device = new MigratingDevice(kernel);
    run(kernel, device.take(parent, AREA, 1));
    const child = forkOf(parent);
    const grandchild = forkOf(child);
    const mirrors = [parent, child, grandchild].map((mm) => new RecordingNotifier(kernel, mm, AREA, 1));
    expect(load(child, AREA)).toBe(10);
    expect(mirrors.map((mirror) => mirror.take())).toEqual([
      [`CLEAR ${AREA}+1`],
      [`MIGRATE ${AREA}+1`, `CLEAR ${AREA}+1`],
      [`CLEAR ${AREA}+1`],
    ]);
    const home = pfnOf(parent, AREA);
    expect(kernel.memory.layout.isDevicePrivate(home)).toBe(false);
    expect([pfnOf(child, AREA), pfnOf(grandchild, AREA)]).toEqual([home, home]);
    expect(kernel.folios.mapcount(home)).toBe(3);
    expect(device.vram.usedPages).toBe(0);
    store(child, AREA, 99);
    expect([parent, child, grandchild].map((mm) => load(mm, AREA))).toEqual([10, 99, 10]);
    checkAccounting(kernel, [parent, child, grandchild]);
  });

  it('breaks the sharing of a device page on a store, after it came home', () => {
    fill(1);
    const device = new MigratingDevice(kernel);
    run(kernel, device.take(parent, AREA, 1));
    const child = forkOf(parent);
    store(parent, AREA, 50);
    expect([load(parent, AREA), load(child, AREA)]).toEqual([50, 10]);
    exit(parent);
    expect(load(child, AREA)).toBe(10);
    exit(child);
    expect([kernel.ram.usedPages, device.vram.usedPages]).toEqual([1, 0]);
  });

  it('frees device pages with the last of the processes', () => {
    fill(2);
    const device = new MigratingDevice(kernel);
    run(kernel, device.take(parent, AREA, 2));
    const child = forkOf(parent);
    exit(parent);
    expect(device.vram.usedPages).toBe(2);
    exit(child);
    expect(device.vram.usedPages).toBe(0);
  });

  it('makes migration entries of both readable and not exclusive', () => {
    fill(3);
    const { pageTable } = parent;
    const before = [0, 1, 2].map((i) => pteOf(parent, AREA + i));
    const kinds = [PteBit.Write, PteBit.Exclusive, 0];
    kinds.forEach((bits, i) => {
      pageTable.write(
        pageTable.slot(AREA + i),
        makePte(PteKind.Migration, ptePfn(before[i]), bits | PteBit.Dirty),
      );
    });
    const child = forkOf(parent);
    for (const mm of [parent, child]) {
      for (let i = 0; i < 3; i++) {
        expect(pteOf(mm, AREA + i)).toBe(makePte(PteKind.Migration, ptePfn(before[i]), PteBit.Dirty));
      }
    }
    expect(kernel.folios.refcount(ptePfn(before[0]))).toBe(1);
  });

  it('copies a pinned page at once and leaves the parent’s as it is', () => {
    fill(2);
    const pinned = pfnOf(parent, AREA + 1);
    const pages = { maybePinned: (pfn: Pfn) => pfn === pinned, duplicateSwapEntry: () => {} };
    const copier = new CopyPageRange(kernel, new ExclusiveEntries(kernel), pages);
    const child = run(kernel, new Fork(kernel, copier, machine.calls.exit).fork(parent, 2));
    assert(typeof child !== 'number', 'fork failed');
    expect(pteHas(pteOf(parent, AREA + 1), PteBit.Write)).toBe(true);
    expect(kernel.folios.testFlag(pinned, FolioFlag.AnonExclusive)).toBe(true);
    const copied = pfnOf(child, AREA + 1);
    expect(copied).not.toBe(pinned);
    expect(kernel.folios.testFlag(copied, FolioFlag.AnonExclusive)).toBe(true);
    expect(pteHas(pteOf(child, AREA + 1), PteBit.Write)).toBe(true);
    expect(load(child, AREA + 1)).toBe(11);
    checkAccounting(kernel, [parent, child]);
  });
});

describe('a fork that runs out of memory', () => {
  function trial(): FailureTrial {
    build();
    fill(2);
    mapFixed(machine, parent, AREA + 1024, 2);
    store(parent, AREA + 1024, 5);
    const free = kernel.tables.freeTables;
    let result: Mm | number = 0;
    return {
      kernel,
      act: () => {
        result = run(kernel, machine.calls.fork.fork(parent, 2));
      },
      check: (failed) => {
        const mms = typeof result === 'number' ? [parent] : [parent, result];
        expect(typeof result === 'number' ? result : Errno.OK).toBe(failed ? Errno.ENOMEM : Errno.OK);
        checkAccounting(kernel, mms);
        expect(kernel.mms.size).toBe(mms.length);
        if (failed) expect(kernel.tables.freeTables).toBe(free);
        store(parent, AREA, 77);
        expect([load(parent, AREA), load(parent, AREA + 1), load(parent, AREA + 1024)]).toEqual([77, 11, 5]);
      },
    };
  }

  it('leaves no child and a whole parent, wherever it fails', () => {
    expect(forEachFailure(trial)).toBeGreaterThan(6);
  });
});

describe('fork while others run', () => {
  it('gives the child what the parent held at some moment of the fork, page by page', () => {
    for (let seed = 1; seed <= 30; seed++) {
      build(seed);
      fill(6);
      const cpu = new TestCpu(machine, parent);
      const writer = function* () {
        for (let i = 0; i < 6; i++) yield* cpu.store(AREA + i, 20 + i);
        return 0;
      };
      const [child] = runAll<Mm | number>(kernel, [machine.calls.fork.fork(parent, 2), writer()]);
      assert(typeof child !== 'number', 'fork failed');
      for (let i = 0; i < 6; i++) {
        expect(load(parent, AREA + i)).toBe(20 + i);
        expect([10 + i, 20 + i]).toContain(load(child, AREA + i));
      }
      checkAccounting(kernel, [parent, child]);
    }
  });

  it('keeps every page through concurrent migrations of shared pages', () => {
    for (let seed = 1; seed <= 30; seed++) {
      build(seed);
      fill(4);
      const device = new MigratingDevice(kernel);
      const child = forkOf(parent);
      const grandchildId = nextId;
      const results = runAll<Mm | number>(kernel, [
        device.take(parent, AREA, 4),
        machine.calls.fork.fork(child, grandchildId),
        new TestCpu(machine, child).store(AREA + 2, 22),
      ]);
      const grandchild = results[1];
      assert(typeof grandchild !== 'number', 'fork failed');
      expect([0, 1, 2, 3].map((i) => load(parent, AREA + i))).toEqual([10, 11, 12, 13]);
      expect([0, 1, 2, 3].map((i) => load(child, AREA + i))).toEqual([10, 11, 22, 13]);
      expect([12, 22]).toContain(load(grandchild, AREA + 2));
      checkAccounting(kernel, [parent, child, grandchild]);
    }
  });
});
