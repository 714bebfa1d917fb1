/** Pages of files on a disk: written back, they lose the right to be stored to unnoticed; reclaimed, they come back from the disk. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { DISK_FILE, type FileType, SHMEM_FILE } from '../../../src/mm/file/fileType.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PTE_NONE, PteBit, pteHas, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  pteOf,
  RecordingNotifier,
  run,
  runAll,
  TestCpu,
} from '../harness.js';

const HIGH = 2 ** 34;
const PAGES = 4;

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  readonly file: MappedFile;
}

/** A file of which two pages were stored to through a shared mapping, and a third was read. */
function setup(type: FileType = DISK_FILE, seed = 1): Setup {
  const machine = makeMachine({ seed });
  const { kernel } = machine;
  const mm = makeMm(kernel);
  const cpu = new TestCpu(machine, mm);
  const file = kernel.pageCache.create(PAGES, type);
  const args = { hint: vpn(HIGH), npages: PAGES, prot: Prot.Read | Prot.Write, file };
  run(kernel, machine.calls.memoryMap.mmap(mm, { ...args, flags: MapFlag.Fixed | MapFlag.Shared }));
  for (let i = 0; i < 2; i++) run(kernel, cpu.store(HIGH + i, 10 + i));
  run(kernel, cpu.load(HIGH + 2));
  return { machine, mm, cpu, file };
}

function* writeBack({ machine, mm }: Setup, page: number): Steps<void> {
  const { folioLocks } = machine.kernel;
  const pfn = ptePfn(pteOf(mm, page));
  yield* folioLocks.lock(pfn);
  yield* machine.calls.writeback.write(pfn);
  folioLocks.unlock(pfn);
}

describe('writeback', () => {
  it('takes the permission to store inside a PROTECTION_PAGE event, and the next store makes the page dirty again', () => {
    const made = setup();
    const { machine, mm, cpu, file } = made;
    const { folios } = machine.kernel;
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, PAGES);
    run(machine.kernel, writeBack(made, HIGH));
    expect(mirror.take()).toEqual([`PROTECTION_PAGE ${HIGH}+1`]);
    const clean = pteOf(mm, HIGH);
    expect([pteHas(clean, PteBit.Write), pteHas(clean, PteBit.Dirty)]).toEqual([false, false]);
    expect(folios.testFlag(ptePfn(clean), FolioFlag.Dirty)).toBe(false);
    expect(file.mapping.stored.get(0)?.[0]).toBe(10);
    expect(run(machine.kernel, cpu.store(HIGH, 20))).toBe(Errno.OK);
    expect(folios.testFlag(ptePfn(clean), FolioFlag.Dirty)).toBe(true);
    checkAccounting(machine.kernel, [mm]);
  });

  it('loses no store that comes while it writes', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const made = setup(DISK_FILE, seed);
      const { machine, mm, cpu, file } = made;
      runAll<unknown>(machine.kernel, [cpu.store(HIGH, 77, 1), writeBack(made, HIGH)]);
      const isDirty = machine.kernel.folios.testFlag(ptePfn(pteOf(mm, HIGH)), FolioFlag.Dirty);
      expect(isDirty || file.mapping.stored.get(0)?.[1] === 77).toBe(true);
    }
  });
});

describe('reclaim of file pages', () => {
  it('drops what the disk has, writes the rest first, and reads it back at the next touch', () => {
    const { machine, mm, cpu, file } = setup();
    const { kernel, calls } = machine;
    const mirror = new RecordingNotifier(kernel, mm, HIGH, PAGES);
    expect(run(kernel, calls.reclaim.shrinkMm(mm))).toBe(3);
    expect(mirror.take()).toEqual([
      `PROTECTION_PAGE ${HIGH}+1`,
      `CLEAR ${HIGH}+1`,
      `PROTECTION_PAGE ${HIGH + 1}+1`,
      `CLEAR ${HIGH + 1}+1`,
      `CLEAR ${HIGH + 2}+1`,
    ]);
    expect([pteOf(mm, HIGH), file.mapping.pages.size, kernel.ram.usedPages]).toEqual([PTE_NONE, 0, 1]);
    checkAccounting(kernel, [mm]);
    expect(kernel.pageCache.read(file.mapping, 1)[0]).toBe(11);
    expect([0, 1, 2].map((i) => run(kernel, cpu.load(HIGH + i)))).toEqual([10, 11, 0]);
    checkAccounting(kernel, [mm]);
  });

  it('swaps out what was stored in shared memory, from where it comes back with the next access', () => {
    const { machine, mm, cpu, file } = setup(SHMEM_FILE);
    const { kernel, calls } = machine;
    const { area } = kernel.swapCache;
    expect(run(kernel, calls.reclaim.shrinkMm(mm))).toBe(3);
    expect([pteOf(mm, HIGH), file.mapping.pages.size, area.usedSlots, area.writes]).toEqual([
      PTE_NONE,
      0,
      2,
      2,
    ]);
    checkAccounting(kernel, [mm]);
    expect(kernel.pageCache.read(file.mapping, 1)[0]).toBe(11);
    expect([0, 1, 2].map((i) => run(kernel, cpu.load(HIGH + i)))).toEqual([10, 11, 0]);
    expect([file.mapping.pages.size, area.usedSlots]).toEqual([3, 0]);
    checkAccounting(kernel, [mm]);
  });

  it('keeps shared memory for which there is no slot', () => {
    const { machine, mm, cpu } = setup(SHMEM_FILE);
    const injector = new FailureInjector();
    machine.kernel.injectFailures(injector);
    injector.failNext(AllocSite.SwapSlot);
    expect(run(machine.kernel, machine.calls.reclaim.shrinkMm(mm))).toBe(2);
    expect([0, 1, 2].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([10, 11, 0]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('gives slots back when the file is truncated, and when it goes', () => {
    const { machine, mm, file } = setup(SHMEM_FILE);
    const { kernel, calls } = machine;
    run(kernel, calls.reclaim.shrinkMm(mm));
    run(kernel, calls.truncate.truncate(file.mapping, 1));
    expect(kernel.swapCache.area.usedSlots).toBe(1);
    checkAccounting(kernel, [mm]);
    run(kernel, calls.exit.mmput(mm));
    kernel.pageCache.close(file);
    expect(kernel.swapCache.area.usedSlots).toBe(0);
  });

  it('keeps pages that are pinned', () => {
    const { machine, mm } = setup();
    machine.kernel.pins.pin(ptePfn(pteOf(mm, HIGH)));
    expect(run(machine.kernel, machine.calls.reclaim.shrinkMm(mm))).toBe(2);
    checkAccounting(machine.kernel, [mm]);
  });

  it('and stores at the same time: none is lost', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { machine, mm, cpu } = setup(DISK_FILE, seed);
      runAll<number>(machine.kernel, [
        cpu.store(HIGH, 70 + seed, 1),
        machine.calls.reclaim.shrinkMm(mm),
        machine.calls.reclaim.shrinkMm(mm),
      ]);
      expect([0, 1].map((word) => run(machine.kernel, cpu.load(HIGH, word)))).toEqual([10, 70 + seed]);
      checkAccounting(machine.kernel, [mm]);
    }
  });

  it('a file stays as long as it is mapped, though it was closed', () => {
    const { machine, mm, cpu, file } = setup();
    const { kernel, calls } = machine;
    kernel.pageCache.close(file);
    run(kernel, calls.reclaim.shrinkMm(mm));
    expect(run(kernel, cpu.load(HIGH + 1))).toBe(11);
    run(kernel, calls.memoryMap.munmap(mm, vpn(HIGH), PAGES));
    expect([...kernel.pageCache.files]).toEqual([]);
    checkAccounting(kernel, [mm]);
  });
});
