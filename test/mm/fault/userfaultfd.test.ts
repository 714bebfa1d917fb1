/** userfaultfd: missing pages wait for their handler; who cannot let go of mmap_lock is refused. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, vpn } from '../../../src/base/units.js';
import { HmmPfnFlag, hmmPfnAt, hmmPfnToPfn, type Pfn } from '../../../src/memory/pfn.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { MMAP_MIN } from '../../../src/mm/area/unmappedArea.js';
import { askUserspace } from '../../../src/mm/fault/askUserspace.js';
import { Userfaultfd } from '../../../src/mm/fault/userfaultfd.js';
import { DISK_FILE, SHMEM_FILE } from '../../../src/mm/file/fileType.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import { pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import { GupFlag } from '../../../src/mm/mirror/gup.js';
import { Hmm, type HmmRange } from '../../../src/mm/mirror/hmm.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PTE_WRITTEN, PteBit, PteKind, pteHas, pteKind } from '../../../src/mm/table/pte.js';
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
  settle,
  spawn,
  TestCpu,
} from '../harness.js';
import { MigratingDevice } from '../migrate/migratingDevice.js';

const HIGH = 2 ** 34;

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  readonly uffd: Userfaultfd;
  /** Serves so many faults: word 0 becomes 100 + the page's number in the area. */
  readonly serve: (faults: number) => Steps<number>;
}

function setup(seed = 1): Setup {
  const machine = makeMachine({ seed, vramPages: [16] });
  const { kernel } = machine;
  const mm = makeMm(kernel);
  mapFixed(machine, mm, HIGH, 4);
  const uffd = new Userfaultfd(kernel, mm, machine.calls.edit);
  expect(run(kernel, uffd.register(vpn(HIGH), 4))).toBe(Errno.OK);
  function* serve(faults: number): Steps<number> {
    let served = 0;
    while (served < faults) {
      const fault = yield* uffd.read();
      if (fault === null) break;
      const { page } = fault;
      const errno = yield* uffd.copy(page, (pfn) => {
        kernel.memory.zeroPages(pfn, 1);
        kernel.memory.words[kernel.memory.wordIndex(pfn)] = 100 + page - HIGH;
      });
      if (errno === Errno.OK) served++;
    }
    return served;
  }
  return { machine, mm, cpu: new TestCpu(machine, mm), uffd, serve };
}

function* keep(body: Steps<number>, results: number[]): Steps<void> {
  results.push(yield* body);
}

/** A request for all four pages of a device. */
function rangeOf({ machine, mm }: Setup, pfns: Uint32Array): HmmRange {
  const { notifier } = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
  return {
    mm,
    notifier,
    notifierSeq: 0,
    start: vpn(HIGH),
    end: vpn(HIGH + 4),
    pfns,
    defaultFlags: HmmPfnFlag.REQ_FAULT,
    pfnFlagsMask: 0,
    devPrivateOwner: pagemapOwner(1),
  };
}

describe('userfaultfd', () => {
  it('fills pages at first touch, once for all that touch them', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { machine, mm, cpu, serve } = setup(seed);
      const other = new TestCpu(machine, mm, 1);
      const results = runAll<number>(machine.kernel, [
        cpu.load(HIGH),
        other.load(HIGH),
        other.store(HIGH + 2, 5, 1),
        serve(2),
      ]);
      expect(results.slice(0, 3)).toEqual([100, 100, Errno.OK]);
      expect([0, 1].map((word) => run(machine.kernel, cpu.load(HIGH + 2, word)))).toEqual([102, 5]);
      checkAccounting(machine.kernel, [mm]);
    }
  });

  it('lets a device fault in through the variant of HMM that drops the lock', () => {
    const made = setup();
    const hmm = new Hmm(made.machine.kernel, made.machine.calls.faults);
    const pfns = new Uint32Array(4);
    const results = runAll<number>(made.machine.kernel, [
      hmm.rangeFaultUnlocked(rangeOf(made, pfns), 1e9),
      made.serve(4),
    ]);
    expect(results[0]).toBe(Errno.OK);
    const { memory } = made.machine.kernel;
    const words = [0, 1, 2, 3].map((i) => memory.words[memory.wordIndex(hmmPfnToPfn(hmmPfnAt(pfns, i)))]);
    expect(words).toEqual([100, 101, 102, 103]);
  });

  it('may take its time: that of its handler does not count for a device’s', () => {
    const made = setup();
    const { kernel, calls } = made.machine;
    const hmm = new Hmm(kernel, calls.faults);
    function* serveSlowly(): Steps<number> {
      for (let i = 0; i < 4; i++) {
        yield* kernel.sched.sleep(2e9);
        yield* made.serve(1);
      }
      return Errno.OK;
    }
    const look = hmm.rangeFaultUnlocked(rangeOf(made, new Uint32Array(4)), 1e9);
    expect(runAll<number>(kernel, [look, serveSlowly()])).toEqual([Errno.OK, Errno.OK]);
  });

  it('keeps what is missing for its handler when the rest migrates to a device', () => {
    const { machine, mm, cpu, uffd, serve } = setup();
    const { kernel } = machine;
    expect(runAll<number>(kernel, [cpu.store(HIGH + 1, 5, 1), serve(1)])[0]).toBe(Errno.OK);
    const device = new MigratingDevice(kernel);
    expect(run(kernel, device.take(mm, HIGH, 4))).toBe(1);
    const kinds = [0, 1, 2, 3].map((i) => pteKind(pteOf(mm, HIGH + i)));
    expect(kinds).toEqual([PteKind.None, PteKind.DevicePrivate, PteKind.None, PteKind.None]);
    expect(runAll<number>(kernel, [cpu.load(HIGH), serve(1)])[0]).toBe(100);
    expect(uffd.waiting).toBe(0);
    checkAccounting(kernel, [mm]);
  });

  it('refuses a device that keeps mmap_lock, and a pin', () => {
    const made = setup();
    const { kernel, calls } = made.machine;
    const hmm = new Hmm(kernel, calls.faults);
    const range = rangeOf(made, new Uint32Array(4));
    const out = new Uint32Array(1);
    function* withLock(body: Steps<number>): Steps<number> {
      range.notifierSeq = yield* made.mm.notifiers.readBegin(range.notifier);
      yield* made.mm.mmapLock.read();
      const result = yield* body;
      made.mm.mmapLock.readUnlock();
      return result;
    }
    expect(run(kernel, withLock(hmm.rangeFault(range)))).toBe(Errno.EFAULT);
    expect(run(kernel, withLock(calls.gup.getUserPages(made.mm, vpn(HIGH), 1, 0, out)))).toBe(Errno.EFAULT);
    expect(made.uffd.waiting).toBe(0);
  });

  it('lets all go that wait when their memory is unregistered, and forgets them', () => {
    const { machine, mm, cpu, uffd } = setup();
    const { kernel } = machine;
    const loaded: number[] = [];
    spawn(kernel, 'load', keep(cpu.load(HIGH + 1), loaded));
    settle(kernel);
    expect(uffd.waiting).toBe(1);
    expect(run(kernel, uffd.unregister(vpn(HIGH), 2))).toBe(Errno.OK);
    expect(loaded).toEqual([0]);
    expect(uffd.waiting).toBe(0);
    checkAccounting(kernel, [mm]);
  });

  it('lets a device go that still uses the memory of a process that has ended, as does the handler that serves nobody', () => {
    const made = setup();
    const { mm, uffd, machine } = made;
    const { kernel, calls } = machine;
    const ended: number[] = [];
    expect(mm.getNotZero()).toBe(true);
    const range = rangeOf(made, new Uint32Array(4));
    function* device(): Steps<number> {
      const errno = yield* new Hmm(kernel, calls.faults).rangeFaultUnlocked(range, 1e9);
      yield* calls.exit.mmput(mm);
      return errno;
    }
    spawn(kernel, 'device', keep(device(), ended));
    settle(kernel);
    spawn(kernel, 'exit', calls.exit.mmput(mm));
    settle(kernel);
    expect([mm.users, uffd.waiting]).toEqual([1, 1]);
    run(kernel, uffd.release());
    expect(ended).toEqual([Errno.OK]);
    expect([mm.users, mm.userfaultfd]).toEqual([0, null]);
    expect(
      run(
        kernel,
        uffd.copy(vpn(HIGH), () => {}),
      ),
    ).toBe(Errno.ENOENT);
    expect(run(kernel, uffd.read())).toBe(null);
    checkAccounting(kernel, []);
  });

  it('does not fill a page twice, nor one outside its memory; zero pages serve too; after unregister pages are zeros', () => {
    const { machine, mm, cpu, uffd } = setup();
    const { kernel } = machine;
    expect(run(kernel, uffd.zeroPage(vpn(HIGH)))).toBe(Errno.OK);
    expect(run(kernel, uffd.zeroPage(vpn(HIGH)))).toBe(Errno.EEXIST);
    expect(run(kernel, uffd.zeroPage(vpn(HIGH + 4)))).toBe(Errno.ENOENT);
    expect(run(kernel, cpu.load(HIGH))).toBe(0);
    expect(run(kernel, uffd.unregister(vpn(HIGH), 4))).toBe(Errno.OK);
    expect(run(kernel, cpu.load(HIGH + 3))).toBe(0);
    checkAccounting(kernel, [mm]);
  });

  it('fills what may only be read, as written and for reading only', () => {
    const { machine, mm, cpu, serve } = setup();
    const { kernel, calls } = machine;
    run(kernel, calls.mprotect.mprotect(mm, vpn(HIGH), 4, Prot.Read));
    expect(runAll<number>(kernel, [cpu.load(HIGH + 1), serve(1)])[0]).toBe(101);
    const pte = pteOf(mm, HIGH + 1);
    expect([pteHas(pte, PTE_WRITTEN), pteHas(pte, PteBit.Write)]).toEqual([true, false]);
    expect(run(kernel, cpu.store(HIGH + 1, 1))).toBe(Errno.EFAULT);
    checkAccounting(kernel, [mm]);
  });

  it('does not follow memory that mremap moves, and stays where MREMAP_DONTUNMAP leaves it', () => {
    const { machine, mm, cpu, serve } = setup();
    const { kernel, calls } = machine;
    const { MayMove, Fixed, DontUnmap } = MremapFlag;
    const move = { from: vpn(HIGH), fromPages: 4, toPages: 4, target: vpn(HIGH + 64) };
    const flags = MayMove | Fixed | DontUnmap;
    expect(run(kernel, calls.mremap.mremap(mm, { ...move, flags }))).toBe(HIGH + 64);
    expect(run(kernel, cpu.load(HIGH + 64))).toBe(0);
    expect(runAll<number>(kernel, [cpu.load(HIGH + 3), serve(1)])[0]).toBe(103);
    checkAccounting(kernel, [mm]);
  });

  it('takes what is there of a range with holes, and refuses all of it for one part that it cannot serve', () => {
    const { machine, mm, uffd } = setup();
    const { kernel } = machine;
    const isServed = (page: number): boolean => mm.vmas.find(vpn(page))?.isUserfaulted ?? false;
    mapFixed(machine, mm, HIGH + 8, 2);
    mapFixed(machine, mm, HIGH + 12, 2);
    expect(run(kernel, uffd.register(vpn(HIGH + 6), 7))).toBe(Errno.OK);
    expect([8, 9, 12, 13].map((page) => isServed(HIGH + page))).toEqual([true, true, true, false]);
    expect(run(kernel, uffd.register(vpn(HIGH + 32), 4))).toBe(Errno.EINVAL);
    mapFile(machine, mm, HIGH + 14, kernel.pageCache.create(2, DISK_FILE));
    expect(run(kernel, uffd.register(vpn(HIGH + 13), 3))).toBe(Errno.EINVAL);
    mapFile(machine, mm, HIGH + 14, kernel.pageCache.create(2, SHMEM_FILE, false));
    expect(run(kernel, uffd.register(vpn(HIGH + 13), 3))).toBe(Errno.EPERM);
    expect(isServed(HIGH + 13)).toBe(false);
  });

  it.each([
    ['no pages', HIGH, 0],
    ['less than none', HIGH + 1, -1],
    ['below vm.mmap_min_addr', MMAP_MIN - 1, HIGH],
    ['from beyond the address space on', TASK_SIZE_PAGES, 1],
    ['up to beyond the address space', HIGH, TASK_SIZE_PAGES - HIGH + 1],
  ])('serves no range of %s, though it has memory in it', (_what, start, npages) => {
    const { machine, mm, uffd, cpu, serve } = setup();
    const { kernel } = machine;
    const at = vpn(start);
    const before = [...mm.vmas].map(({ flags }) => flags);
    expect(run(kernel, uffd.register(at, npages))).toBe(Errno.EINVAL);
    expect(run(kernel, uffd.unregister(at, npages))).toBe(Errno.EINVAL);
    expect([...mm.vmas].map(({ flags }) => flags)).toEqual(before);
    expect(runAll<number>(kernel, [cpu.load(HIGH), serve(1)])[0]).toBe(100);
  });

  it('refuses a page outside the address space before it asks for memory', () => {
    const { machine, uffd } = setup();
    const { kernel } = machine;
    const free = kernel.ram.freePages;
    for (const page of [MMAP_MIN - 1, TASK_SIZE_PAGES]) {
      const fill = (): void => expect.unreachable('a page is filled that goes nowhere');
      expect(run(kernel, uffd.copy(vpn(page), fill))).toBe(Errno.EINVAL);
      expect(run(kernel, uffd.zeroPage(vpn(page)))).toBe(Errno.EINVAL);
    }
    expect(kernel.ram.freePages).toBe(free);
  });

  it('fills holes of shared memory, for everybody who maps it, and leaves alone what is in memory', () => {
    const { machine, mm, cpu, uffd, serve } = setup();
    const { kernel } = machine;
    const file = kernel.pageCache.create(4, SHMEM_FILE);
    const other = makeMm(kernel);
    mapFile(machine, mm, HIGH + 8, file);
    mapFile(machine, other, HIGH + 8, file);
    expect(run(kernel, new TestCpu(machine, other, 1).store(HIGH + 9, 7))).toBe(Errno.OK);
    expect(run(kernel, uffd.register(vpn(HIGH + 8), 4))).toBe(Errno.OK);
    const results = runAll<number>(kernel, [cpu.load(HIGH + 8), cpu.store(HIGH + 10, 5, 1), serve(2)]);
    expect(results.slice(0, 2)).toEqual([108, Errno.OK]);
    expect(run(kernel, uffd.zeroPage(vpn(HIGH + 11)))).toBe(Errno.OK);
    expect(run(kernel, uffd.zeroPage(vpn(HIGH + 9)))).toBe(Errno.EEXIST);
    const seen = [8, 9, 10, 11].map((page) => run(kernel, new TestCpu(machine, other, 1).load(HIGH + page)));
    expect(seen).toEqual([108, 7, 110, 0]);
    checkAccounting(kernel, [mm, other]);
  });

  it.each([
    ['shared', MapFlag.Shared],
    ['private', 0],
  ])('fills nothing beyond the end of the file, of which memory is a %s mapping', (_what, flags) => {
    const { machine, mm, uffd } = setup();
    const { kernel, calls } = machine;
    const at = HIGH + 8;
    const file = kernel.pageCache.create(2, SHMEM_FILE);
    const args = {
      hint: vpn(at),
      npages: 4,
      prot: Prot.Read | Prot.Write,
      flags: MapFlag.Fixed | flags,
      file,
    };
    expect(run(kernel, calls.memoryMap.mmap(mm, args))).toBe(at);
    kernel.pageCache.close(file);
    expect(run(kernel, uffd.register(vpn(at), 4))).toBe(Errno.OK);
    const zero = (pfn: Pfn): void => kernel.memory.zeroPages(pfn, 1);
    expect(run(kernel, uffd.copy(vpn(at + 2), zero))).toBe(Errno.EFAULT);
    expect(run(kernel, uffd.zeroPage(vpn(at + 3)))).toBe(Errno.EFAULT);
    expect(run(kernel, uffd.copy(vpn(at + 1), zero))).toBe(Errno.OK);
    expect([2, 3].map((i) => pteKind(pteOf(mm, at + i)))).toEqual([PteKind.None, PteKind.None]);
    checkAccounting(kernel, [mm]);
  });

  it('hears nothing of a page that has come since the fault found it missing', () => {
    const { machine, mm, uffd } = setup();
    const { kernel } = machine;
    expect(run(kernel, uffd.zeroPage(vpn(HIGH)))).toBe(Errno.OK);
    const isHeld: boolean[] = [];
    const ask = function* (): Steps<Errno> {
      yield* mm.mmapLock.read();
      const errno = yield* askUserspace(mm, vpn(HIGH), true, true);
      isHeld.push(mm.mmapLock.isLocked);
      return errno;
    };
    expect(run(kernel, ask())).toBe(Errno.EAGAIN);
    expect([uffd.waiting, ...isHeld]).toEqual([0, false]);
  });

  it('is waited for by mlock and by the fast way to pages, which can let go of mmap_lock', () => {
    const { machine, mm, serve } = setup();
    const { kernel, calls } = machine;
    const pages = new Uint32Array(2);
    const results = runAll<number>(kernel, [
      calls.mlock.mlock(mm, vpn(HIGH), 2),
      calls.gup.getUserPagesFast(mm, vpn(HIGH + 2), 2, GupFlag.Write, pages),
      serve(4),
    ]);
    expect(results).toEqual([Errno.OK, 2, 4]);
    calls.gup.release(pages, 2, GupFlag.Write);
    checkAccounting(kernel, [mm]);
  });
});

function mapFile(machine: Machine, mm: Mm, hint: number, file: MappedFile): void {
  const flags = MapFlag.Fixed | MapFlag.Shared;
  const args = { hint: vpn(hint), npages: file.mapping.npages, prot: Prot.Read, flags, file };
  const prot = file.isWritable ? Prot.Read | Prot.Write : Prot.Read;
  expect(run(machine.kernel, machine.calls.memoryMap.mmap(mm, { ...args, prot }))).toBe(hint);
}

it('one that registers while the one before closes has what it registered', () => {
  const { machine, mm, uffd } = setup();
  const { kernel, calls } = machine;
  const hold = function* (): Steps<void> {
    yield* mm.mmapLock.read();
    yield* kernel.sched.sleep(100);
    mm.mmapLock.readUnlock();
  };
  const close = function* (): Steps<void> {
    yield* kernel.sched.sleep(10);
    yield* uffd.release();
  };
  const next = function* (): Steps<void> {
    yield* kernel.sched.sleep(20);
    expect(uffd.isClosed).toBe(true);
    const later = new Userfaultfd(kernel, mm, calls.edit);
    expect(yield* later.register(vpn(HIGH), 4)).toBe(Errno.OK);
    expect(mm.userfaultfd).toBe(later);
  };
  runAll(kernel, [hold(), close(), next()]);
  expect([mm.userfaultfd === null, mm.vmas.find(vpn(HIGH))?.isUserfaulted]).toEqual([false, true]);
});
