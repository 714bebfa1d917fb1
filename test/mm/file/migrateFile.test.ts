/** Pages of files in migrate_vma and HMM: they are unmapped everywhere, refused by device memory, and mapped again as they were. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import {
  MigratePfnFlag,
  migratePfn,
  migratePfnAt,
  migratePfnToPfn,
  NO_PFN,
  pfn as pfnOf,
} from '../../../src/memory/pfn.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import { MigrateUnmap } from '../../../src/mm/migrate/migrateUnmap.js';
import { MigrateSelect, MigrateVma, type MigrateVmaArgs } from '../../../src/mm/migrate/migrateVma.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { Rmap } from '../../../src/mm/rmap/rmap.js';
import { PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  pteOf,
  RecordingNotifier,
  run,
  TestCpu,
  TestDevice,
} from '../harness.js';

const HIGH = 2 ** 34;
const RW = Prot.Read | Prot.Write;

let machine: Machine;
let mm: Mm;
let cpu: TestCpu;
let file: MappedFile;
let device: TestDevice;
let migrate: MigrateVma;

beforeEach(() => {
  machine = makeMachine({ vramPages: [16] });
  const { kernel } = machine;
  mm = makeMm(kernel);
  cpu = new TestCpu(machine, mm);
  device = new TestDevice(kernel);
  const rmap = new Rmap(kernel);
  migrate = new MigrateVma(kernel, new MigrateUnmap(kernel, rmap), rmap);
  file = kernel.pageCache.create(4);
  for (let i = 0; i < 4; i++) kernel.pageCache.write(file.mapping, i, new Int32Array([100 + i]));
});

function map(into: Mm, flags: number): void {
  const args = { hint: vpn(HIGH), npages: 4, prot: RW, flags: flags | MapFlag.Fixed, file };
  expect(run(machine.kernel, machine.calls.memoryMap.mmap(into, args))).toBe(HIGH);
}

function argsOf(): MigrateVmaArgs {
  const vma = mm.vmas.find(vpn(HIGH));
  if (vma === null) throw new Error('no area');
  return {
    mm,
    vma,
    start: vpn(HIGH),
    end: vpn(HIGH + 4),
    src: new Uint32Array(4),
    dst: new Uint32Array(4),
    flags: MigrateSelect.System,
    pgmapOwner: device.pagemap.owner,
    faultPage: NO_PFN,
    cpages: 0,
  };
}

/** To pages of the device, or of RAM. */
function* migrateAll(args: MigrateVmaArgs, toDevice: boolean): Steps<Errno> {
  const { folios, folioLocks, memory } = machine.kernel;
  yield* mm.mmapLock.read();
  const errno = yield* migrate.setup(args);
  if (errno === Errno.OK) {
    for (let i = 0; i < 4; i++) {
      const entry = migratePfnAt(args.src, i);
      if ((entry & MigratePfnFlag.MIGRATE) === 0) continue;
      const to = toDevice ? device.vram.alloc(0) : machine.kernel.allocPage();
      if (to < 0) throw new Error('no memory');
      const page = pfnOf(to);
      if (toDevice) folios.prepareNew(page, 0, 1);
      folioLocks.lockNew(page);
      const from = migratePfnToPfn(entry);
      if (from !== NO_PFN) memory.copyPages(page, from, 1);
      args.dst[i] = migratePfn(page, 0);
    }
    yield* migrate.pages(args);
    yield* migrate.finalize(args);
  }
  mm.mmapLock.readUnlock();
  return errno;
}

const moved = (args: MigrateVmaArgs): boolean[] =>
  [...args.src].map((_, i) => (migratePfnAt(args.src, i) & MigratePfnFlag.MIGRATE) !== 0);
const load = (page: number): number => run(machine.kernel, cpu.load(page));
const store = (page: number, value: number): number => run(machine.kernel, cpu.store(page, value));

describe('migrate_vma', () => {
  it('takes no holes of a file, and leaves its pages where they are, in every address space', () => {
    map(mm, MapFlag.Shared);
    const other = makeMm(machine.kernel, 2);
    map(other, MapFlag.Shared);
    store(HIGH + 1, 7);
    run(machine.kernel, new TestCpu(machine, other, 1).store(HIGH + 1, 8));
    const before = pteOf(mm, HIGH + 1);
    const mirror = new RecordingNotifier(machine.kernel, other, HIGH, 4);
    const args = argsOf();
    expect(run(machine.kernel, migrateAll(args, true))).toBe(Errno.OK);
    expect([args.cpages, moved(args)]).toEqual([1, [false, false, false, false]]);
    expect(mirror.take()).toEqual([`CLEAR ${HIGH + 1}+1`]);
    expect(ptePfn(pteOf(mm, HIGH + 1))).toBe(ptePfn(before));
    expect([pteHas(pteOf(mm, HIGH + 1), PteBit.Write), load(HIGH + 1)]).toEqual([true, 8]);
    expect(machine.kernel.folios.testFlag(ptePfn(before), FolioFlag.AnonExclusive)).toBe(false);
    expect(device.vram.usedPages).toBe(0);
    checkAccounting(machine.kernel, [mm, other]);
  });

  it('moves the copies of a private mapping', () => {
    map(mm, 0);
    load(HIGH);
    store(HIGH + 2, 7);
    const args = argsOf();
    run(machine.kernel, migrateAll(args, true));
    expect([args.cpages, moved(args)]).toEqual([4, [false, false, true, false]]);
    expect([0, 1, 2, 3].map((i) => pteKind(pteOf(mm, HIGH + i)) === PteKind.DevicePrivate)).toEqual([
      false,
      false,
      true,
      false,
    ]);
    checkAccounting(machine.kernel, [mm]);
    expect([load(HIGH), load(HIGH + 2)]).toEqual([100, 7]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('can put other pages of RAM into the file', () => {
    map(mm, MapFlag.Shared);
    load(HIGH);
    const before = ptePfn(pteOf(mm, HIGH));
    const args = argsOf();
    run(machine.kernel, migrateAll(args, false));
    expect(moved(args)).toEqual([true, true, true, true]);
    expect(ptePfn(pteOf(mm, HIGH))).not.toBe(before);
    expect([load(HIGH), load(HIGH + 3)]).toEqual([100, 103]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('refuses a driver’s own pages', () => {
    file = machine.kernel.pageCache.create(0, {
      name: 'device',
      servesFaults: false,
      waitsWithoutMmapLock: false,
      tracksDirty: false,
      insertsPages: true,
      isHugetlb: false,
    });
    map(mm, 0);
    expect(run(machine.kernel, migrateAll(argsOf(), true))).toBe(Errno.EINVAL);
  });
});
