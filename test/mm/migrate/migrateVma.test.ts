/** migrate_vma: what setup collects, how pages change their identity, and that finalize leaves every page mapped, unlocked and counted right. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { MigratePfnFlag, migratePfn, NO_PFN, type Pfn, pfn as pfnOf } from '../../../src/memory/pfn.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { Vma } from '../../../src/mm/area/vma.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import { type PagemapOwner, pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import { MigrateStep, MigrateUnmap } from '../../../src/mm/migrate/migrateUnmap.js';
import { MigrateSelect, MigrateVma, type MigrateVmaArgs } from '../../../src/mm/migrate/migrateVma.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { joinAnonVma } from '../../../src/mm/rmap/anonVmaLinks.js';
import { Rmap } from '../../../src/mm/rmap/rmap.js';
import { makePte, PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
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
  spawn,
  TestCpu,
  TestDevice,
} from '../harness.js';

const { VALID, MIGRATE, WRITE } = MigratePfnFlag;
const AREA = 0x1000;
const OWN = pagemapOwner(100);
const ALL = MigrateSelect.System | MigrateSelect.DevicePrivate;

let machine: Machine;
let kernel: Kernel;
let mm: Mm;
let cpu: TestCpu;
let device: TestDevice;
let migrate: MigrateVma;

function build(seed = 1, tlbShootdownNs = 0): void {
  const costs = { cpuFaultNs: 0, migratePageNs: 0, hmmPageNs: 0, tlbShootdownNs, syscallNs: 0 };
  machine = makeMachine({ vramPages: [64, 64], seed, costs });
  kernel = machine.kernel;
  mm = makeMm(kernel);
  cpu = new TestCpu(machine, mm);
  device = new TestDevice(kernel);
  const rmap = new Rmap(kernel);
  migrate = new MigrateVma(kernel, new MigrateUnmap(kernel, rmap), rmap);
}

beforeEach(() => build());

interface Options {
  readonly flags?: number;
  readonly owner?: PagemapOwner;
  readonly faultPage?: Pfn;
}

function argsFor(start: number, npages: number, options: Options = {}): MigrateVmaArgs {
  const vma = mm.vmas.find(vpn(start)) ?? mm.vmas.firstFrom(vpn(0));
  if (vma === null) throw new Error('no area');
  return {
    mm,
    vma,
    start: vpn(start),
    end: vpn(start + npages),
    src: new Uint32Array(npages).fill(0xdead),
    dst: new Uint32Array(npages),
    flags: options.flags ?? ALL,
    pgmapOwner: options.owner ?? OWN,
    faultPage: options.faultPage ?? NO_PFN,
    cpages: 99,
  };
}

/** What a caller does between setup and pages. */
type Between = (args: MigrateVmaArgs) => Steps<void> | void;

/** The whole dance under mmap_lock; returns the arguments as they are at its end. */
function* dance(args: MigrateVmaArgs, between: Between = giveDevicePages): Steps<MigrateVmaArgs> {
  yield* mm.mmapLock.read();
  const errno = yield* migrate.setup(args);
  expect(errno).toBe(Errno.OK);
  const steps = between(args);
  if (steps !== undefined) yield* steps;
  yield* migrate.pages(args);
  yield* migrate.finalize(args);
  mm.mmapLock.readUnlock();
  return args;
}

/** Only setup, and back: what it collected stays in the arguments. */
function collect(start: number, npages: number, options: Options = {}): MigrateVmaArgs {
  const args = argsFor(start, npages, options);
  let src = new Uint32Array(0);
  let cpages = 0;
  run(
    kernel,
    dance(args, () => {
      src = args.src.slice();
      cpages = args.cpages;
    }),
  );
  args.src.set(src);
  args.cpages = cpages;
  return args;
}

function newPage(page: Pfn): number {
  kernel.folios.prepareNew(page, 0, 1);
  kernel.folioLocks.lockNew(page);
  return migratePfn(page, 0);
}

/** A locked device page, with the bytes copied, for everything that is to be moved. */
function giveDevicePages({ src, dst }: MigrateVmaArgs): void {
  src.forEach((entry, i) => {
    if ((entry & MIGRATE) === 0) return;
    const to = pfnOf(device.vram.alloc(0));
    dst[i] = newPage(to);
    const from = entry >>> 6;
    if ((entry & VALID) === 0) kernel.memory.zeroPages(to, 1);
    else kernel.memory.copyPages(to, pfnOf(from), 1);
  });
}

function giveRamPages({ src, dst }: MigrateVmaArgs): void {
  src.forEach((entry, i) => {
    if ((entry & MIGRATE) === 0 || (entry & VALID) === 0) return;
    const to = kernel.allocPage();
    kernel.folioLocks.lockNew(to);
    dst[i] = migratePfn(to, 0);
    kernel.memory.copyPages(to, pfnOf(entry >>> 6), 1);
  });
}

function giveNothing(): void {}

function write(page: number): Pfn {
  expect(run(kernel, cpu.store(page, page))).toBe(Errno.OK);
  return ptePfn(pteOf(mm, page));
}

function read(page: number): number {
  return run(kernel, cpu.load(page));
}

function place(page: number): string {
  const pte = pteOf(mm, page);
  if (pteKind(pte) === PteKind.None) return 'none';
  return ptePfn(pte) === kernel.zeroPage ? 'zero' : kernel.memory.layout.zoneOf(ptePfn(pte)).name;
}

function protect(start: number, npages: number, prot: number): void {
  expect(run(kernel, machine.calls.mprotect.mprotect(mm, vpn(start), npages, prot))).toBe(Errno.OK);
}

/** Another address space that maps the page of `page` read-only too, as after a fork. */
function share(page: number): Mm {
  const other = makeMm(kernel, 2);
  const vma = mm.vmas.find(vpn(page));
  if (vma?.anonVma == null) throw new Error('nothing to share');
  const copy = new Vma(vma.start, vma.end, vma.flags, vma.pgoff);
  other.vmas.insert(copy);
  joinAnonVma(other, copy, vma.anonVma);
  const pfn = ptePfn(pteOf(mm, page));
  kernel.folios.get(pfn);
  kernel.folios.addRmap(pfn);
  kernel.folios.clearFlag(pfn, FolioFlag.AnonExclusive);
  for (const each of [mm, other]) {
    each.pageTable.write(each.pageTable.ensure(page), makePte(PteKind.Present, pfn, PteBit.Young));
  }
  kernel.flushCpuTlbs();
  return other;
}

describe('setup refuses with -EINVAL', () => {
  beforeEach(() => {
    mapFixed(machine, mm, AREA, 8);
  });

  it.each<[string, () => MigrateVmaArgs]>([
    ['an empty span', () => argsFor(AREA, 0)],
    ['a span before the area', () => ({ ...argsFor(AREA, 8), start: vpn(AREA - 1) })],
    ['a span beyond the area', () => argsFor(AREA + 4, 5)],
    [
      'a source array that is too short',
      () => ({ ...argsFor(AREA, 8), src: new Uint32Array(7).fill(0xdead) }),
    ],
    ['a destination array that is too short', () => ({ ...argsFor(AREA, 8), dst: new Uint32Array(7) })],
    ['a fault page that is in RAM', () => argsFor(AREA, 8, { faultPage: write(AREA) })],
    [
      'a fault page that nobody has locked',
      () => {
        write(AREA);
        return argsFor(AREA, 8, { faultPage: device.takePage(mm, AREA) });
      },
    ],
  ])('%s, and raises nothing', (_, make) => {
    const args = make();
    const seen = new RecordingNotifier(kernel, mm, 0, 2 ** 20);
    const setup = function* (): Steps<Errno> {
      yield* mm.mmapLock.read();
      const errno = yield* migrate.setup(args);
      mm.mmapLock.readUnlock();
      return errno;
    };
    expect(run(kernel, setup())).toBe(Errno.EINVAL);
    expect(seen.take()).toEqual([]);
    expect(args.src.every((entry) => entry === 0xdead)).toBe(true);
  });
});

describe('setup collects', () => {
  type Kind = 'hole' | 'zero' | 'ram' | 'readonly' | 'own' | 'own readonly' | 'foreign';
  const { System, DevicePrivate, DeviceCoherent } = MigrateSelect;
  const hole = MIGRATE;
  const page = VALID | MIGRATE;

  function make(kind: Kind): void {
    mapFixed(machine, mm, AREA, 1);
    if (kind === 'hole') return;
    if (kind === 'zero') {
      read(AREA);
      return;
    }
    write(AREA);
    if (kind === 'readonly') protect(AREA, 1, Prot.Read);
    if (kind === 'own' || kind === 'own readonly') device.takePage(mm, AREA);
    if (kind === 'own readonly') protect(AREA, 1, Prot.Read);
    if (kind === 'foreign') new TestDevice(kernel, 1).takePage(mm, AREA);
  }

  it.each<[Kind, number, number]>([
    ['hole', System, hole],
    ['hole', DevicePrivate, hole],
    ['hole', 0, hole],
    ['zero', System, hole],
    ['zero', DevicePrivate, 0],
    ['ram', System, page | WRITE],
    ['ram', System | DevicePrivate, page | WRITE],
    ['ram', DevicePrivate | DeviceCoherent, 0],
    ['readonly', System, page],
    ['own', DevicePrivate, page | WRITE],
    ['own', System, 0],
    ['own readonly', DevicePrivate, page],
    ['foreign', System | DevicePrivate, 0],
  ])('%s, selecting %i: %i', (kind, flags, expected) => {
    make(kind);
    const before = pteOf(mm, AREA);
    const args = collect(AREA, 1, { flags });
    expect(args.src[0] & 63).toBe(expected);
    expect(args.cpages).toBe(expected === 0 ? 0 : 1);
    if ((expected & VALID) !== 0) expect(args.src[0] >>> 6).toBe(ptePfn(before));
    if (expected === 0) expect(pteOf(mm, AREA)).toBe(before);
  });

  it('nothing where a migration is under way', () => {
    mapFixed(machine, mm, AREA, 1);
    const pfn = write(AREA);
    const entry = makePte(PteKind.Migration, pfn, PteBit.Write);
    mm.pageTable.write(mm.pageTable.slot(AREA), entry);
    const args = collect(AREA, 1);
    expect([args.src[0], args.cpages]).toEqual([0, 0]);
    expect(pteOf(mm, AREA)).toBe(entry);
  });

  it('into a zeroed source, and leaves the destination to the caller', () => {
    mapFixed(machine, mm, AREA, 2);
    new TestDevice(kernel, 1);
    write(AREA);
    const args = argsFor(AREA, 2, { flags: MigrateSelect.DevicePrivate });
    args.dst.fill(0);
    run(
      kernel,
      dance(args, () => {
        expect(Array.from(args.src)).toEqual([0, MIGRATE]);
        expect(Array.from(args.dst)).toEqual([0, 0]);
      }),
    );
  });

  it('across page tables that do not exist', () => {
    mapFixed(machine, mm, AREA, 1200);
    write(AREA + 1100);
    const args = collect(AREA + 400, 800);
    expect(args.cpages).toBe(800);
    expect(args.src[700] & 63).toBe(page | WRITE);
    expect(args.src.filter((entry) => entry === hole)).toHaveLength(799);
  });
});

describe('a collected page', () => {
  let pfn: Pfn;
  let seen: RecordingNotifier;

  beforeEach(() => {
    mapFixed(machine, mm, AREA, 4);
    pfn = write(AREA);
    write(AREA + 1);
    seen = new RecordingNotifier(kernel, mm, AREA, 64);
  });

  it('is locked, unmapped, and held by the collector alone', () => {
    run(
      kernel,
      dance(argsFor(AREA, 4), function* () {
        expect(kernel.folios.isLocked(pfn)).toBe(true);
        expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([1, 0]);
        expect(kernel.folios.testFlag(pfn, FolioFlag.Lru)).toBe(false);
        expect(pteKind(pteOf(mm, AREA))).toBe(PteKind.Migration);
        expect(ptePfn(pteOf(mm, AREA))).toBe(pfn);
      }),
    );
  });

  it('is announced by one MIGRATE invalidation of the span, and none besides', () => {
    run(kernel, dance(argsFor(AREA, 2)));
    expect(seen.take()).toEqual([`MIGRATE ${AREA}+2`]);
  });

  it('is announced with the owner, before any entry changes', () => {
    let owner = 0;
    seen.onEvent = function* (range) {
      owner = range.owner;
      expect(pteKind(pteOf(mm, AREA))).toBe(PteKind.Present);
    };
    run(kernel, dance(argsFor(AREA, 2)));
    expect(owner).toBe(OWN);
  });

  it('leaves the CPU TLBs before anybody else runs', () => {
    const before = machine.brackets[0].enter();
    machine.brackets[0].exit();
    let flushed = false;
    kernel.sched.observer = {
      onStep: (_task, step) => {
        if (step !== MigrateStep.collect || flushed) return;
        flushed = machine.brackets[0].enter() > before;
        machine.brackets[0].exit();
        expect(flushed).toBe(true);
      },
    };
    run(kernel, dance(argsFor(AREA, 2)));
    expect(flushed).toBe(true);
  });

  it('cannot be written by a CPU until it is mapped again; the store then reaches the new page', () => {
    const writer = function* (): Steps<void> {
      yield* kernel.sched.sleep(10);
      yield* cpu.store(AREA, 4711);
      expect(kernel.sched.now()).toBe(1000);
    };
    const mover = function* (): Steps<void> {
      yield* dance(argsFor(AREA, 2, { flags: MigrateSelect.System }), function* (args) {
        giveRamPages(args);
        yield* kernel.sched.sleep(1000);
      });
    };
    runAll(kernel, [writer(), mover()]);
    expect(read(AREA)).toBe(4711);
    expect(ptePfn(pteOf(mm, AREA))).not.toBe(pfn);
  });

  it.each<[string, number, number]>([
    [
      'writable and dirty',
      PteBit.Write | PteBit.Young | PteBit.Dirty,
      PteBit.Write | PteBit.Young | PteBit.Dirty,
    ],
    ['writable and clean', PteBit.Write | PteBit.Young, PteBit.Write | PteBit.Young],
    ['read-only, exclusive', PteBit.Young, PteBit.Exclusive | PteBit.Young],
    ['soft-dirty, not young', PteBit.SoftDirty, PteBit.Exclusive | PteBit.SoftDirty],
  ])('remembers that it was %s', (_, bits, remembered) => {
    mm.pageTable.write(mm.pageTable.slot(AREA), makePte(PteKind.Present, pfn, bits));
    kernel.folios.clearFlag(pfn, FolioFlag.Dirty);
    run(
      kernel,
      dance(argsFor(AREA, 1), () => {
        expect(pteOf(mm, AREA)).toBe(makePte(PteKind.Migration, pfn, remembered));
        expect(kernel.folios.testFlag(pfn, FolioFlag.Dirty)).toBe((bits & PteBit.Dirty) !== 0);
      }),
    );
    // Nothing was moved, so everything is as before.
    expect(pteOf(mm, AREA)).toBe(makePte(PteKind.Present, pfn, bits));
    expect(kernel.folios.testFlag(pfn, FolioFlag.AnonExclusive)).toBe(true);
  });
});

describe('a page is skipped', () => {
  beforeEach(() => {
    mapFixed(machine, mm, AREA, 3);
    for (let i = 0; i < 3; i++) write(AREA + i);
  });

  it('when somebody has it locked: its entry is not touched', () => {
    const pfn = ptePfn(pteOf(mm, AREA + 1));
    const before = pteOf(mm, AREA + 1);
    kernel.folios.trylock(pfn, 4711);
    run(
      kernel,
      dance(argsFor(AREA, 3), (args) => {
        expect([args.src[1], args.cpages]).toEqual([0, 2]);
        expect(pteOf(mm, AREA + 1)).toBe(before);
        expect(kernel.folios.refcount(pfn)).toBe(1);
        giveDevicePages(args);
      }),
    );
    kernel.folios.unlock(pfn, 4711);
    expect([0, 1, 2].map((i) => place(AREA + i))).toEqual(['vram0', 'ram', 'vram0']);
    checkAccounting(kernel, [mm]);
  });

  it.each(['before setup', 'during setup'])(
    'when it is pinned (%s): it is mapped again as it was',
    (when) => {
      const pfn = ptePfn(pteOf(mm, AREA + 1));
      const before = pteOf(mm, AREA + 1);
      const seen = new RecordingNotifier(kernel, mm, AREA, 64);
      if (when === 'before setup') kernel.folios.get(pfn);
      else {
        seen.onEvent = function* () {
          kernel.folios.get(pfn);
          seen.onEvent = null;
        };
      }
      run(
        kernel,
        dance(argsFor(AREA, 3), (args) => {
          expect([args.src[1], args.cpages]).toEqual([0, 2]);
          expect(pteOf(mm, AREA + 1)).toBe(before);
          expect(kernel.folios.isLocked(pfn)).toBe(false);
          expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([2, 1]);
          expect(kernel.folios.testFlag(pfn, FolioFlag.Lru)).toBe(true);
          expect(kernel.folios.testFlag(pfn, FolioFlag.AnonExclusive)).toBe(true);
          giveDevicePages(args);
        }),
      );
      kernel.folios.put(pfn);
      checkAccounting(kernel, [mm]);
    },
  );

  it('when several are pinned: the first stays locked and out of the page table until the last was tried', () => {
    const pinned = [0, 2].map((i) => ptePfn(pteOf(mm, AREA + i)));
    for (const pfn of pinned) kernel.folios.get(pfn);
    const firstAtGiveUp: (readonly [PteKind, boolean])[] = [];
    kernel.sched.observer = {
      onStep: (_task, step) => {
        if (step === MigrateStep.giveUp)
          firstAtGiveUp.push([pteKind(pteOf(mm, AREA)), kernel.folios.isLocked(pinned[0])]);
      },
    };
    run(kernel, dance(argsFor(AREA, 3)));
    expect(firstAtGiveUp).toEqual([
      [PteKind.Migration, true],
      [PteKind.Migration, true],
    ]);
    for (const pfn of pinned) kernel.folios.put(pfn);
    expect([0, 1, 2].map((i) => place(AREA + i))).toEqual(['ram', 'vram0', 'ram']);
    checkAccounting(kernel, [mm]);
  });

  it('when reclaim has taken it off the LRU: it is left off, for reclaim to put back', () => {
    const pfn = ptePfn(pteOf(mm, AREA + 1));
    const before = pteOf(mm, AREA + 1);
    expect(machine.calls.reclaim.isolate(pfn)).toBe(true);
    run(kernel, dance(argsFor(AREA, 3)));
    expect([pteOf(mm, AREA + 1), kernel.folios.testFlag(pfn, FolioFlag.Lru)]).toEqual([before, false]);
    expect(run(kernel, machine.calls.reclaim.reclaimIsolated([pfn]))).toBe(1);
    expect([0, 2].map((i) => place(AREA + i))).toEqual(['vram0', 'vram0']);
    checkAccounting(kernel, [mm]);
  });
});

describe('a page that another address space maps too', () => {
  it('is unmapped there with a CLEAR, and both entries follow it', () => {
    mapFixed(machine, mm, AREA, 1);
    write(AREA);
    const other = share(AREA);
    const seen = new RecordingNotifier(kernel, mm, AREA, 1);
    const seenThere = new RecordingNotifier(kernel, other, AREA, 1);
    run(
      kernel,
      dance(argsFor(AREA, 1), (args) => {
        expect([args.src[0] & 63, args.cpages]).toEqual([VALID | MIGRATE, 1]);
        expect([pteKind(pteOf(mm, AREA)), pteKind(pteOf(other, AREA))]).toEqual([
          PteKind.Migration,
          PteKind.Migration,
        ]);
        giveDevicePages(args);
      }),
    );
    expect(seenThere.take()).toEqual([`CLEAR ${AREA}+1`]);
    expect(seen.take()).toEqual([`MIGRATE ${AREA}+1`, `CLEAR ${AREA}+1`]);
    const [mine, theirs] = [pteOf(mm, AREA), pteOf(other, AREA)];
    expect(mine).toBe(theirs);
    expect([pteKind(mine), pteHas(mine, PteBit.Write)]).toEqual([PteKind.DevicePrivate, false]);
    expect([kernel.folios.refcount(ptePfn(mine)), kernel.folios.mapcount(ptePfn(mine))]).toEqual([2, 2]);
    checkAccounting(kernel, [mm, other]);
  });

  it('is mapped in both again when it cannot move', () => {
    mapFixed(machine, mm, AREA, 1);
    const pfn = write(AREA);
    const other = share(AREA);
    const before = pteOf(mm, AREA);
    kernel.folios.get(pfn);
    run(kernel, dance(argsFor(AREA, 1)));
    expect([pteOf(mm, AREA), pteOf(other, AREA)]).toEqual([before, before]);
    kernel.folios.put(pfn);
    checkAccounting(kernel, [mm, other]);
  });
});

describe('pages and finalize', () => {
  beforeEach(() => {
    mapFixed(machine, mm, AREA, 4);
    for (let i = 0; i < 4; i++) write(AREA + i);
  });

  it('move to the device: entries, bytes, references, and the old pages are free', () => {
    const old = [0, 1, 2, 3].map((i) => ptePfn(pteOf(mm, AREA + i)));
    const args = run(kernel, dance(argsFor(AREA, 4)));
    expect(Array.from(args.src).every((entry) => (entry & MIGRATE) !== 0)).toBe(true);
    for (let i = 0; i < 4; i++) {
      const pte = pteOf(mm, AREA + i);
      expect([pteKind(pte), pteHas(pte, PteBit.Write)]).toEqual([PteKind.DevicePrivate, true]);
      const pfn = ptePfn(pte);
      expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn), kernel.folios.isLocked(pfn)]).toEqual(
        [1, 1, false],
      );
      expect(kernel.folios.testFlag(pfn, FolioFlag.AnonExclusive)).toBe(true);
      expect(kernel.folios.refcount(old[i])).toBe(0);
    }
    checkAccounting(kernel, [mm]);
    expect([0, 1, 2, 3].map((i) => read(AREA + i))).toEqual([0, 1, 2, 3].map((i) => AREA + i));
  });

  it('move back to RAM, onto the LRU', () => {
    run(kernel, dance(argsFor(AREA, 4)));
    run(kernel, dance(argsFor(AREA, 4, { flags: MigrateSelect.DevicePrivate }), giveRamPages));
    for (let i = 0; i < 4; i++) {
      const pte = pteOf(mm, AREA + i);
      expect([pteKind(pte), pteHas(pte, PteBit.Write)]).toEqual([PteKind.Present, true]);
      expect(kernel.folios.testFlag(ptePfn(pte), FolioFlag.Lru)).toBe(true);
      expect(kernel.folios.testFlag(ptePfn(pte), FolioFlag.Dirty)).toBe(true);
    }
    expect(device.vram.usedPages).toBe(0);
    expect([0, 1, 2, 3].map((i) => read(AREA + i))).toEqual([0, 1, 2, 3].map((i) => AREA + i));
    checkAccounting(kernel, [mm]);
  });

  it('clear MIGRATE where there is no destination, and map the source again', () => {
    const before = [0, 1, 2, 3].map((i) => pteOf(mm, AREA + i));
    const args = run(kernel, dance(argsFor(AREA, 4), giveNothing));
    expect(Array.from(args.src).some((entry) => (entry & MIGRATE) !== 0)).toBe(false);
    expect([0, 1, 2, 3].map((i) => pteOf(mm, AREA + i))).toEqual(before);
    expect(kernel.folios.testFlag(ptePfn(before[0]), FolioFlag.Lru)).toBe(true);
    checkAccounting(kernel, [mm]);
  });

  it('clear MIGRATE where somebody took a reference after setup, and free the destination', () => {
    const before = pteOf(mm, AREA + 2);
    const args = run(
      kernel,
      dance(argsFor(AREA, 4), (each) => {
        giveDevicePages(each);
        kernel.folios.get(ptePfn(before));
      }),
    );
    expect(Array.from(args.src).map((entry) => (entry & MIGRATE) !== 0)).toEqual([true, true, false, true]);
    expect(pteOf(mm, AREA + 2)).toBe(before);
    expect(device.vram.usedPages).toBe(3);
    kernel.folios.put(ptePfn(before));
    checkAccounting(kernel, [mm]);
  });

  it('map nothing where the page was thrown away meanwhile', () => {
    run(
      kernel,
      dance(argsFor(AREA, 4), function* (args) {
        giveDevicePages(args);
        yield* machine.calls.zap.zapRange(mm, vpn(AREA + 1), vpn(AREA + 2));
      }),
    );
    expect([0, 1, 2, 3].map((i) => place(AREA + i))).toEqual(['vram0', 'none', 'vram0', 'vram0']);
    expect(device.vram.usedPages).toBe(3);
    checkAccounting(kernel, [mm]);
    expect(read(AREA + 1)).toBe(0);
  });
});

/** Something that another thread does meanwhile. */
function* byAnother(steps: Steps<unknown>): Steps<void> {
  spawn(kernel, 'another', steps);
  yield* kernel.sched.sleep(100);
}

describe('a hole', () => {
  it('gets a fresh page, counted and exclusive, with the rights of the area', () => {
    mapFixed(machine, mm, AREA, 2);
    protect(AREA + 1, 1, Prot.Read);
    for (const at of [AREA, AREA + 1]) run(kernel, dance(argsFor(at, 1)));
    for (const [at, writable] of [
      [AREA, true],
      [AREA + 1, false],
    ] as const) {
      const pte = pteOf(mm, at);
      expect([pteKind(pte), pteHas(pte, PteBit.Write)]).toEqual([PteKind.DevicePrivate, writable]);
      expect([kernel.folios.refcount(ptePfn(pte)), kernel.folios.mapcount(ptePfn(pte))]).toEqual([1, 1]);
      expect(kernel.folios.testFlag(ptePfn(pte), FolioFlag.AnonExclusive)).toBe(true);
    }
    checkAccounting(kernel, [mm]);
    expect(read(AREA)).toBe(0);
  });

  it('shares the anon_vma of the neighbours, so that the areas can merge again', () => {
    mapFixed(machine, mm, AREA, 1);
    mapFixed(machine, mm, AREA + 1, 1, Prot.Read | Prot.Write | Prot.Exec);
    write(AREA);
    run(kernel, dance(argsFor(AREA + 1, 1)));
    expect(mm.vmas.size).toBe(2);
    protect(AREA + 1, 1, Prot.Read | Prot.Write);
    expect(mm.vmas.size).toBe(1);
  });

  it('is announced once, from the first hole to the end of the span, with the owner', () => {
    mapFixed(machine, mm, AREA, 6);
    write(AREA);
    write(AREA + 3);
    const seen = new RecordingNotifier(kernel, mm, AREA, 64);
    const owners: number[] = [];
    seen.onEvent = function* (range) {
      owners.push(range.owner);
    };
    run(kernel, dance(argsFor(AREA, 6)));
    expect(seen.take()).toEqual([`MIGRATE ${AREA}+6`, `MIGRATE ${AREA + 1}+5`]);
    expect(owners).toEqual([OWN, OWN]);
    expect(mm.notifiers.activeInvalidations).toBe(0);
  });

  it('is not announced when it is not filled', () => {
    mapFixed(machine, mm, AREA, 2);
    const seen = new RecordingNotifier(kernel, mm, AREA, 64);
    run(kernel, dance(argsFor(AREA, 2), giveNothing));
    expect(seen.take()).toEqual([`MIGRATE ${AREA}+2`]);
  });

  it('that somebody filled meanwhile keeps what they put there', () => {
    mapFixed(machine, mm, AREA, 2);
    const args = run(
      kernel,
      dance(argsFor(AREA, 2), function* (each) {
        giveDevicePages(each);
        yield* byAnother(cpu.store(AREA + 1, 7));
      }),
    );
    expect(Array.from(args.src)).toEqual([MIGRATE, 0]);
    expect([place(AREA), place(AREA + 1), read(AREA + 1)]).toEqual(['vram0', 'ram', 7]);
    expect(device.vram.usedPages).toBe(1);
    checkAccounting(kernel, [mm]);
  });

  it('may be the zero page by then, which is replaced and flushed from the TLBs', () => {
    mapFixed(machine, mm, AREA, 1);
    run(
      kernel,
      dance(argsFor(AREA, 1), function* (each) {
        giveDevicePages(each);
        yield* byAnother(cpu.load(AREA));
        expect(place(AREA)).toBe('zero');
      }),
    );
    expect(place(AREA)).toBe('vram0');
    const other = new TestCpu(machine, mm, 1);
    device.refuseWith = Errno.EIO;
    expect(run(kernel, cpu.load(AREA))).toBe(Errno.EFAULT);
    expect(run(kernel, other.load(AREA))).toBe(Errno.EFAULT);
  });

  it('cannot be filled without memory for page tables', () => {
    mapFixed(machine, mm, AREA, 1);
    while (kernel.tables.allocTable() >= 0);
    const args = run(kernel, dance(argsFor(AREA, 1)));
    expect(Array.from(args.src)).toEqual([0]);
    expect(device.vram.usedPages).toBe(0);
  });
});

describe('the page of a CPU fault', () => {
  it('is neither locked nor unlocked, and its reference stays with the fault', () => {
    mapFixed(machine, mm, AREA, 2);
    write(AREA);
    write(AREA + 1);
    const pfn = device.takePage(mm, AREA);
    device.takePage(mm, AREA + 1);
    const fault = function* (): Steps<void> {
      expect(kernel.folioLocks.trylock(pfn)).toBe(true);
      kernel.folios.get(pfn);
      const args = argsFor(AREA, 2, { flags: MigrateSelect.DevicePrivate, faultPage: pfn });
      yield* dance(args, (each) => {
        expect(each.cpages).toBe(2);
        expect(kernel.folios.refcount(pfn)).toBe(2);
        giveRamPages(each);
      });
      expect(kernel.folios.isLocked(pfn)).toBe(true);
      expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([1, 0]);
      kernel.folioLocks.unlock(pfn);
      kernel.folios.put(pfn);
    };
    run(kernel, fault());
    expect([place(AREA), place(AREA + 1), device.vram.usedPages]).toEqual(['ram', 'ram', 0]);
    expect([read(AREA), read(AREA + 1)]).toEqual([AREA, AREA + 1]);
    checkAccounting(kernel, [mm]);
  });

  it('is restored locked when it cannot move', () => {
    mapFixed(machine, mm, AREA, 1);
    write(AREA);
    const pfn = device.takePage(mm, AREA);
    const before = pteOf(mm, AREA);
    const fault = function* (): Steps<void> {
      expect(kernel.folioLocks.trylock(pfn)).toBe(true);
      kernel.folios.get(pfn);
      // A second fault's reference, say.
      kernel.folios.get(pfn);
      const args = argsFor(AREA, 1, { flags: MigrateSelect.DevicePrivate, faultPage: pfn });
      yield* dance(args, (each) => {
        expect([each.src[0], each.cpages]).toEqual([0, 0]);
      });
      expect(kernel.folios.isLocked(pfn)).toBe(true);
      expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([3, 1]);
      kernel.folioLocks.unlock(pfn);
      kernel.folios.put(pfn);
      kernel.folios.put(pfn);
    };
    run(kernel, fault());
    expect(pteOf(mm, AREA)).toBe(before);
    checkAccounting(kernel, [mm]);
  });
});

describe('whatever the schedule', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('CPUs that use the memory meanwhile lose nothing (seed %i)', (seed) => {
    build(seed);
    mapFixed(machine, mm, AREA, 8);
    for (let i = 0; i < 8; i += 2) write(AREA + i);
    const back = function* (): Steps<void> {
      for (let i = 0; i < 3; i++) {
        yield* dance(argsFor(AREA, 8));
        yield* dance(argsFor(AREA, 8, { flags: MigrateSelect.DevicePrivate }), giveRamPages);
      }
    };
    const user = function* (index: number): Steps<void> {
      const own = new TestCpu(machine, mm, index);
      for (let round = 1; round <= 5; round++) {
        for (let i = 0; i < 8; i++) {
          const word = 1 + index;
          const value: number = yield* own.load(AREA + i, word);
          expect(value).toBe(round - 1);
          expect(yield* own.store(AREA + i, round, word)).toBe(Errno.OK);
        }
      }
    };
    runAll(kernel, [back(), user(0), user(1)]);
    checkAccounting(kernel, [mm]);
    expect([0, 2, 4, 6].map((i) => read(AREA + i))).toEqual([0, 2, 4, 6].map((i) => AREA + i));
  });
});

describe('the time of a migration', () => {
  it('has one shootdown of CPU TLBs for all pages that leave RAM together, and none for those that no CPU can reach', () => {
    build(1, 4000);
    mapFixed(machine, mm, AREA, 8);
    for (let i = 0; i < 8; i++) write(AREA + i);
    const startNs = kernel.sched.now();
    run(kernel, dance(argsFor(AREA, 8)));
    expect(kernel.sched.now() - startNs).toBe(4000);
    const awayNs = kernel.sched.now();
    run(kernel, dance(argsFor(AREA, 8), giveRamPages));
    expect(kernel.sched.now()).toBe(awayNs);
  });
});
