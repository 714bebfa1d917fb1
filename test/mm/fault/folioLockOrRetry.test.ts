/** A fault that waits for a page's lock lets others change the address space meanwhile: once, and only where it may begin again. */

import { describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { type Vpn, vpn } from '../../../src/base/units.js';
import { NO_PFN, type Pfn } from '../../../src/memory/pfn.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { DISK_FILE, type FileType, SHMEM_FILE } from '../../../src/mm/file/fileType.js';
import { pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import { GupFlag } from '../../../src/mm/mirror/gup.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { swapSlotOf } from '../../../src/mm/swap/swapCache.js';
import { ptePfn } from '../../../src/mm/table/pte.js';
import { STEP, type Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  run,
  runAll,
  TestCpu,
} from '../harness.js';

const PAGE = vpn(2 ** 34);
const OWNER = pagemapOwner(7);

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  /** That a fault on `PAGE` has to lock. */
  readonly pfn: Pfn;
}

function stored(): Omit<Setup, 'pfn'> {
  const machine = makeMachine();
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, PAGE, 1);
  run(machine.kernel, new TestCpu(machine, mm).store(PAGE, 5));
  return { machine, mm };
}

function lentToDevice(): Setup {
  const { machine, mm } = stored();
  const pages = new Uint32Array(1);
  const lend = function* (): Steps<number> {
    yield* mm.mmapLock.read();
    const lent = yield* machine.calls.exclusive.makeRange(mm, PAGE, (PAGE + 1) as Vpn, pages, OWNER);
    mm.mmapLock.readUnlock();
    machine.kernel.folioLocks.unlock(pages[0] as Pfn);
    machine.kernel.folios.put(pages[0] as Pfn);
    return lent;
  };
  expect(run(machine.kernel, lend())).toBe(1);
  return { machine, mm, pfn: pages[0] as Pfn };
}

function inSwapCache(): Setup {
  const { machine, mm } = stored();
  const { kernel } = machine;
  expect(run(kernel, machine.calls.reclaim.shrinkMm(mm))).toBe(1);
  const pfn = kernel.allocPage();
  assert(pfn !== NO_PFN, 'no memory');
  kernel.swapCache.readIn(swapSlotOf(pteOf(mm, PAGE)), pfn);
  kernel.folios.put(pfn);
  return { machine, mm, pfn };
}

function inFile(type: FileType): Setup {
  const machine = makeMachine();
  const { kernel } = machine;
  const mm = makeMm(kernel);
  const file = kernel.pageCache.create(1, type);
  const args = { hint: PAGE, npages: 1, prot: Prot.Read | Prot.Write, file };
  run(kernel, machine.calls.memoryMap.mmap(mm, { ...args, flags: MapFlag.Fixed | MapFlag.Shared }));
  const pfn = kernel.pageCache.grab(file.mapping, 0);
  assert(pfn !== NO_PFN, 'no memory');
  return { machine, mm, pfn };
}

/** Has the page locked twice while `access` faults: whether the fault holds mmap_lock as it waits the first and the second time. */
function heldWhileWaiting({ machine, mm, pfn }: Setup, access: Steps<number>): boolean[] {
  const { folioLocks, sched } = machine.kernel;
  const held: boolean[] = [];
  const holdTwice = function* (): Steps<number> {
    yield* folioLocks.lock(pfn);
    for (let time = 0; time < 2; time++) {
      // No time passes before all others wait.
      yield* sched.sleep(1000);
      held.push(mm.mmapLock.isLocked);
      folioLocks.unlock(pfn);
      assert(folioLocks.trylock(pfn), 'who waits has to try again');
    }
    folioLocks.unlock(pfn);
    return Errno.OK;
  };
  const afterwards = function* (): Steps<number> {
    while (!machine.kernel.folios.isLocked(pfn)) yield STEP;
    return yield* access;
  };
  const [, result] = runAll(machine.kernel, [holdTwice(), afterwards()]);
  expect(result).toBeGreaterThanOrEqual(Errno.OK);
  checkAccounting(machine.kernel, [mm]);
  return held;
}

function store({ machine, mm }: Setup): Steps<number> {
  return new TestCpu(machine, mm).store(PAGE, 6);
}

describe('a fault that needs a page which somebody has locked', () => {
  const pages: readonly (readonly [string, () => Setup])[] = [
    ['lent to a device', lentToDevice],
    ['in the swap cache', inSwapCache],
    ['of a file on a disk', () => inFile(DISK_FILE)],
  ];

  for (const [name, make] of pages) {
    it(`waits without mmap_lock the first time, then with it: a page ${name}`, () => {
      const made = make();
      expect(heldWhileWaiting(made, store(made))).toEqual([false, true]);
    });

    it(`waits with mmap_lock where the caller cannot begin again: a page ${name}`, () => {
      const made = make();
      const { machine, mm } = made;
      const fault = function* (): Steps<number> {
        yield* mm.mmapLock.read();
        const vma = mm.vmas.find(PAGE);
        assert(vma !== null, 'nothing is mapped');
        const errno = yield* machine.calls.faults.handleMmFault(mm, vma, PAGE, true);
        mm.mmapLock.readUnlock();
        return errno;
      };
      expect(heldWhileWaiting(made, fault())).toEqual([true, true]);
    });

    it(`waits for get_user_pages_fast as for a program: a page ${name}`, () => {
      const made = make();
      const { machine, mm } = made;
      const out = new Uint32Array(1);
      const grab = function* (): Steps<number> {
        const got = yield* machine.calls.gup.getUserPagesFast(mm, PAGE, 1, GupFlag.Write, out);
        machine.calls.gup.release(out, got, GupFlag.Write);
        return got;
      };
      expect(heldWhileWaiting(made, grab())).toEqual([false, true]);
      expect(ptePfn(pteOf(mm, PAGE))).toBe(out[0]);
    });
  }

  it('waits without mmap_lock for each page that get_user_pages_fast comes to', () => {
    const { machine, mm } = stored();
    const { kernel, calls } = machine;
    const { folioLocks, sched } = kernel;
    mapFixed(machine, mm, PAGE + 1, 1);
    run(kernel, new TestCpu(machine, mm).store(PAGE + 1, 6));
    expect(run(kernel, calls.reclaim.shrinkMm(mm))).toBe(2);
    const pages = [0, 1].map((i) => {
      const pfn = kernel.allocPage();
      kernel.swapCache.readIn(swapSlotOf(pteOf(mm, PAGE + i)), pfn);
      kernel.folios.put(pfn);
      return pfn;
    });
    const held: boolean[] = [];
    const holdOneAfterAnother = function* (): Steps<number> {
      for (const pfn of pages) yield* folioLocks.lock(pfn);
      for (const pfn of pages) {
        yield* sched.sleep(1000);
        held.push(mm.mmapLock.isLocked);
        folioLocks.unlock(pfn);
      }
      return Errno.OK;
    };
    const out = new Uint32Array(2);
    const grab = function* (): Steps<number> {
      while (!kernel.folios.isLocked(pages[1])) yield STEP;
      return yield* calls.gup.getUserPagesFast(mm, PAGE, 2, GupFlag.Write, out);
    };
    expect(runAll(kernel, [holdOneAfterAnother(), grab()])).toEqual([Errno.OK, 2]);
    expect(held).toEqual([false, false]);
    calls.gup.release(out, 2, GupFlag.Write);
    checkAccounting(kernel, [mm]);
  });

  it('waits with mmap_lock for a page of memory that has no disk behind it', () => {
    const made = inFile(SHMEM_FILE);
    expect(heldWhileWaiting(made, store(made))).toEqual([true, true]);
  });
});
