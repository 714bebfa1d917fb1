/** Mappings of files and shared memory: who sees which store, which entries a fault makes, and what each call does to them. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { NO_PFN } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { VmFlag } from '../../../src/mm/area/vma.js';
import { DEVICE_FILE, DISK_FILE, type FileType, SHMEM_FILE } from '../../../src/mm/file/fileType.js';
import type { MappedFile } from '../../../src/mm/file/mappedFile.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteBit, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import {
  areasOf,
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  pteOf,
  RecordingNotifier,
  run,
  runAll,
  settle,
  spawn,
  TestCpu,
} from '../harness.js';

/** A multiple of 16 pages: the window that a read fault maps around. */
const HIGH = 2 ** 34;
const TO = HIGH + 4096;
const RW = Prot.Read | Prot.Write;

let machine: Machine;
let mm: Mm;
let cpu: TestCpu;
let file: MappedFile;

beforeEach(() => {
  machine = makeMachine();
  mm = makeMm(machine.kernel);
  cpu = new TestCpu(machine, mm);
});

/** A file whose page i starts with 100 + i. */
function makeFile(npages: number, type: FileType = SHMEM_FILE, isWritable = true): MappedFile {
  const { pageCache } = machine.kernel;
  file = pageCache.create(npages, type, isWritable);
  for (let i = 0; i < npages; i++) pageCache.write(file.mapping, i, new Int32Array([100 + i]));
  return file;
}

interface MapOptions {
  readonly at?: number;
  readonly prot?: number;
  readonly fileOffset?: number;
  readonly mm?: Mm;
}

function map(npages: number, flags: number, of: MappedFile | null, options: MapOptions = {}): number {
  const { at = HIGH, prot = RW, fileOffset = 0 } = options;
  const args = { hint: vpn(at), npages, prot, flags: flags | MapFlag.Fixed, file: of, fileOffset };
  return run(machine.kernel, machine.calls.memoryMap.mmap(options.mm ?? mm, args));
}

const load = (page: number): number => run(machine.kernel, cpu.load(page));
const store = (page: number, value: number): number => run(machine.kernel, cpu.store(page, value));
const inFile = (index: number): number => machine.kernel.pageCache.read(file.mapping, index)[0];
const advise = (page: number, npages: number, advice: Madvise): Errno =>
  run(machine.kernel, machine.calls.madvise.madvise(mm, vpn(page), npages, advice));
const protect = (page: number, npages: number, prot: number): Errno =>
  run(machine.kernel, machine.calls.mprotect.mprotect(mm, vpn(page), npages, prot));
const remap = (from: number, fromPages: number, toPages: number, flags: number, target = 0): number =>
  run(
    machine.kernel,
    machine.calls.mremap.mremap(mm, { from: vpn(from), fromPages, toPages, flags, target: vpn(target) }),
  );

/** `r`, `w` or `-` per page: what the entries allow. */
function entries(start: number, npages: number, of: Mm = mm): string {
  return Array.from({ length: npages }, (_, i) => {
    const pte = pteOf(of, start + i);
    if (pteKind(pte) === 0) return '-';
    return pteHas(pte, PteBit.Write) ? 'w' : 'r';
  }).join('');
}

function flagsAt(page: number): number {
  return mm.vmas.find(vpn(page))?.flags ?? -1;
}

describe('a shared mapping', () => {
  it('shows the file and stores to it, for every mapping of it', () => {
    makeFile(8);
    map(8, MapFlag.Shared, file);
    map(4, MapFlag.Shared, file, { at: TO, fileOffset: 2 });
    expect([load(HIGH + 3), load(TO + 1)]).toEqual([103, 103]);
    store(HIGH + 3, 7);
    expect([inFile(3), load(TO + 1)]).toEqual([7, 7]);
    expect(ptePfn(pteOf(mm, TO + 1))).toBe(ptePfn(pteOf(mm, HIGH + 3)));
    checkAccounting(machine.kernel, [mm]);
  });

  it('gets writable entries from a read, and from a store only the page itself', () => {
    makeFile(8);
    map(8, MapFlag.Shared, file);
    store(HIGH + 5, 1);
    expect(entries(HIGH, 8)).toBe('-----w--');
    load(HIGH + 1);
    expect(entries(HIGH, 8)).toBe('wwwwwwww');
    expect(pteHas(pteOf(mm, HIGH + 2), PteBit.Dirty)).toBe(false);
  });

  it('of a file with a disk behind it faults at the first store to each page', () => {
    makeFile(4, DISK_FILE);
    const { folios, pageCache } = machine.kernel;
    for (let i = 0; i < 4; i++) folios.clearFlag(pageCache.find(file.mapping, i), FolioFlag.Dirty);
    map(4, MapFlag.Shared, file);
    load(HIGH);
    expect(entries(HIGH, 4)).toBe('rrrr');
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
    store(HIGH + 1, 9);
    expect([entries(HIGH, 4), inFile(1), mirror.take()]).toEqual(['rwrr', 9, []]);
    const isDirty = (i: number): boolean => folios.testFlag(pageCache.find(file.mapping, i), FolioFlag.Dirty);
    expect([isDirty(0), isDirty(1)]).toEqual([false, true]);
    protect(HIGH, 4, Prot.Read);
    protect(HIGH, 4, RW);
    expect(entries(HIGH, 4)).toBe('rwrr');
    checkAccounting(machine.kernel, [mm]);
  });

  it('of nameless memory is zero, and shared by address spaces that map the same file', () => {
    expect(map(4, MapFlag.Shared, null)).toBe(HIGH);
    expect([load(HIGH), store(HIGH + 1, 5), load(HIGH + 1)]).toEqual([0, Errno.OK, 5]);
    const other = makeMm(machine.kernel, 2);
    map(4, MapFlag.Shared, mm.vmas.find(vpn(HIGH))?.file ?? null, { mm: other });
    expect(run(machine.kernel, new TestCpu(machine, other, 1).load(HIGH + 1))).toBe(5);
    checkAccounting(machine.kernel, [mm, other]);
    for (const one of [mm, other]) run(machine.kernel, machine.calls.exit.mmput(one));
    expect(machine.kernel.ram.usedPages).toBe(1);
  });

  it('of a file that was opened for reading never becomes writable', () => {
    makeFile(4, SHMEM_FILE, false);
    expect(map(4, MapFlag.Shared, file)).toBe(Errno.EACCES);
    expect(map(4, MapFlag.Shared, file, { prot: Prot.Read })).toBe(HIGH);
    expect(flagsAt(HIGH) & ~VmFlag.SoftDirty).toBe(VmFlag.Read | VmFlag.MayShare);
    expect(protect(HIGH, 4, RW)).toBe(Errno.EACCES);
    expect([load(HIGH), store(HIGH, 1)]).toEqual([100, Errno.EFAULT]);
    expect(map(4, 0, file)).toBe(HIGH);
  });
});

describe('a private mapping', () => {
  it('shows the file until a page is written, which is then a copy', () => {
    makeFile(8);
    map(8, 0, file);
    expect([load(HIGH + 1), entries(HIGH, 8)]).toEqual([101, 'rrrrrrrr']);
    store(HIGH + 1, 55);
    expect([load(HIGH + 1), inFile(1)]).toEqual([55, 101]);
    machine.kernel.pageCache.write(file.mapping, 1, new Int32Array([66]));
    machine.kernel.pageCache.write(file.mapping, 2, new Int32Array([77]));
    expect([load(HIGH + 1), load(HIGH + 2)]).toEqual([55, 77]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('tells mirrors of a page that is replaced, not of one that is new', () => {
    makeFile(8);
    map(8, 0, file);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    store(HIGH, 1);
    expect([mirror.take(), entries(HIGH, 8)]).toEqual([[], 'w-------']);
    load(HIGH + 1);
    store(HIGH + 1, 2);
    expect(mirror.take()).toEqual([`CLEAR ${HIGH + 1}+1`]);
  });

  it('gets the file back where DONTNEED drops its copies', () => {
    makeFile(4);
    map(4, 0, file);
    store(HIGH, 1);
    expect(advise(HIGH, 4, Madvise.DontNeed)).toBe(Errno.OK);
    expect([entries(HIGH, 4), load(HIGH)]).toEqual(['----', 100]);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('a read fault', () => {
  it('maps what is in memory of 16 aligned pages', () => {
    makeFile(64);
    map(40, 0, file, { at: HIGH + 8, prot: Prot.Read });
    load(HIGH + 20);
    expect(entries(HIGH, 48)).toBe(`${'-'.repeat(16)}${'r'.repeat(16)}${'-'.repeat(16)}`);
    checkAccounting(machine.kernel, [mm]);
  });

  it('maps 16 pages from where the area begins, if that is within the window', () => {
    map(40, 0, makeFile(40), { at: HIGH + 10, prot: Prot.Read });
    load(HIGH + 12);
    expect(entries(HIGH, 48)).toBe(`${'-'.repeat(10)}${'r'.repeat(16)}${'-'.repeat(22)}`);
    load(HIGH + 33);
    expect(entries(HIGH + 26, 24)).toBe(`${'-'.repeat(6)}${'r'.repeat(16)}--`);
    checkAccounting(machine.kernel, [mm]);
  });

  it('maps nothing beyond the page table of its page', () => {
    const tableEnd = HIGH + PMD_PAGES;
    map(40, 0, makeFile(40), { at: tableEnd - 4, prot: Prot.Read });
    load(tableEnd - 4);
    expect(entries(tableEnd - 4, 40)).toBe(`rrrr${'-'.repeat(36)}`);
    checkAccounting(machine.kernel, [mm]);
  });

  it('makes the page itself if it is missing, but none of its neighbours', () => {
    map(8, MapFlag.Shared, null);
    store(HIGH + 1, 1);
    store(HIGH + 6, 1);
    advise(HIGH, 8, Madvise.DontNeed);
    load(HIGH + 3);
    expect(entries(HIGH, 8)).toBe('-w-w--w-');
  });

  it('leaves out pages that are locked, and waits for its own', () => {
    makeFile(4);
    map(4, MapFlag.Shared, file);
    const { kernel } = machine;
    const held = kernel.pageCache.find(file.mapping, 1);
    const hold = kernel.folioLocks;
    const gate = kernel.sched;
    spawn(
      kernel,
      'holder',
      (function* () {
        hold.lockNew(held);
        yield* gate.sleep(100);
        hold.unlock(held);
      })(),
    );
    const seen: (number | string)[] = [];
    spawn(
      kernel,
      'reader',
      (function* () {
        yield* gate.sleep(1);
        yield* cpu.load(HIGH);
        seen.push(entries(HIGH, 4));
        seen.push(yield* cpu.load(HIGH + 1));
      })(),
    );
    settle(kernel);
    expect(seen).toEqual(['w-ww', 101]);
  });

  it('beyond the end of the file is an error, for loads and stores, and nothing is left behind', () => {
    makeFile(2);
    map(4, 0, file);
    map(4, MapFlag.Shared, file, { at: TO });
    for (const page of [HIGH + 2, TO + 3]) {
      expect([load(page), store(page, 1)]).toEqual([Errno.EFAULT, Errno.EFAULT]);
    }
    expect(load(HIGH + 1)).toBe(101);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('faults of several threads', () => {
  it('agree on one page of the file, and copy what they must, whatever the schedule', () => {
    for (let seed = 1; seed <= 20; seed++) {
      machine = makeMachine({ seed, pagesPerStep: 1 });
      mm = makeMm(machine.kernel);
      makeFile(4);
      map(4, MapFlag.Shared, null);
      map(4, 0, file, { at: TO });
      const cpus = [new TestCpu(machine, mm, 0), new TestCpu(machine, mm, 1)];
      runAll<number>(machine.kernel, [
        cpus[0].store(HIGH, 1, 0),
        cpus[1].store(HIGH, 2, 1),
        cpus[0].store(TO, 3, 1),
        cpus[1].store(TO, 4, 2),
      ]);
      cpu = cpus[0];
      const word = (page: number, at: number): number => run(machine.kernel, cpu.load(page, at));
      expect([load(HIGH), word(HIGH, 1)]).toEqual([1, 2]);
      expect([load(TO), word(TO, 1), word(TO, 2)]).toEqual([100, 3, 4]);
      checkAccounting(machine.kernel, [mm]);
    }
  });
});

describe('memory that runs out', () => {
  it('ends each kind of fault with -ENOMEM and leaves no page behind', () => {
    const { kernel } = machine;
    makeFile(4);
    map(4, 0, file);
    map(4, MapFlag.Shared, null, { at: TO });
    const used = kernel.ram.usedPages;
    const injector = new FailureInjector();
    injector.failNext(AllocSite.RamPage, 3);
    injector.failNext(AllocSite.AnonVma);
    kernel.injectFailures(injector);
    const results = [store(HIGH, 1), store(HIGH, 1), load(TO), store(TO, 1)];
    expect(results).toEqual([Errno.ENOMEM, Errno.ENOMEM, Errno.ENOMEM, Errno.ENOMEM]);
    kernel.injectFailures(null);
    expect(kernel.ram.usedPages).toBe(used);
    checkAccounting(kernel, [mm]);
  });
});

describe('madvise', () => {
  it('unmaps shared pages without losing them, and frees only anonymous memory', () => {
    makeFile(4);
    map(4, MapFlag.Shared, file);
    store(HIGH, 42);
    expect(advise(HIGH, 4, Madvise.Free)).toBe(Errno.EINVAL);
    expect(advise(HIGH, 4, Madvise.DontNeed)).toBe(Errno.OK);
    expect([entries(HIGH, 4), load(HIGH)]).toEqual(['----', 42]);
    expect(machine.kernel.folios.testFlag(ptePfn(pteOf(mm, HIGH)), FolioFlag.Dirty)).toBe(true);
  });

  it('refuses to drop what is locked', () => {
    map(4, MapFlag.Locked, null);
    store(HIGH, 1);
    expect(advise(HIGH, 4, Madvise.DontNeed)).toBe(Errno.EINVAL);
    expect(advise(HIGH, 4, Madvise.Free)).toBe(Errno.EINVAL);
    expect(load(HIGH)).toBe(1);
  });
});

describe('a device file', () => {
  it('gives zeroed pages at once, which belong to no file and no LRU', () => {
    const device = machine.kernel.pageCache.create(0, DEVICE_FILE);
    map(2, 0, device);
    expect([entries(HIGH, 2), load(HIGH), flagsAt(HIGH) & VmFlag.MixedMap]).toEqual([
      'rr',
      0,
      VmFlag.MixedMap,
    ]);
    const pfn = ptePfn(pteOf(mm, HIGH));
    expect(machine.kernel.folios.testFlag(pfn, FolioFlag.Lru)).toBe(false);
    store(HIGH, 3);
    expect([load(HIGH), entries(HIGH, 2)]).toEqual([3, 'wr']);
    expect(ptePfn(pteOf(mm, HIGH))).not.toBe(pfn);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is shared with a child, which has not written it yet', () => {
    map(2, MapFlag.Shared, machine.kernel.pageCache.create(0, DEVICE_FILE));
    store(HIGH, 3);
    const child = run(machine.kernel, machine.calls.fork.fork(mm, 2));
    if (typeof child === 'number') throw new Error('fork failed');
    expect([mm, child].map((of) => pteHas(pteOf(of, HIGH), PteBit.Dirty))).toEqual([true, false]);
    run(machine.kernel, new TestCpu(machine, child, 1).store(HIGH, 4));
    expect(load(HIGH)).toBe(4);
    checkAccounting(machine.kernel, [mm, child]);
  });

  it('serves no faults: what was dropped is gone', () => {
    map(2, MapFlag.Shared, machine.kernel.pageCache.create(0, DEVICE_FILE));
    expect([store(HIGH, 3), load(HIGH)]).toEqual([Errno.OK, 3]);
    advise(HIGH, 1, Madvise.DontNeed);
    expect([load(HIGH), load(HIGH + 1)]).toEqual([Errno.EFAULT, 0]);
  });

  it('maps nothing when memory runs out half-way', () => {
    const { kernel } = machine;
    const device = kernel.pageCache.create(0, DEVICE_FILE);
    const injector = new FailureInjector();
    injector.failNth(3);
    kernel.injectFailures(injector);
    expect(map(3, 0, device)).toBe(Errno.ENOMEM);
    kernel.injectFailures(null);
    expect([areasOf(mm), kernel.ram.usedPages]).toEqual([[], 1]);
  });
});

describe('mremap', () => {
  it('moves pages of a file with their offsets, and grows beyond its end', () => {
    makeFile(4);
    map(4, MapFlag.Shared, file);
    store(HIGH + 2, 9);
    expect(remap(HIGH + 2, 2, 3, MremapFlag.MayMove | MremapFlag.Fixed, TO)).toBe(TO);
    expect([load(TO), load(TO + 1), load(TO + 2), load(HIGH + 1)]).toEqual([9, 103, Errno.EFAULT, 101]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('without old pages duplicates a shared mapping, but no private one', () => {
    makeFile(4);
    map(4, MapFlag.Shared, file);
    map(4, 0, file, { at: HIGH + 64 });
    expect(remap(HIGH + 64, 0, 4, MremapFlag.MayMove)).toBe(Errno.EINVAL);
    expect(remap(HIGH + 1, 0, 3, MremapFlag.MayMove | MremapFlag.Fixed, TO)).toBe(TO);
    store(TO, 8);
    expect([load(HIGH + 1), inFile(1)]).toEqual([8, 8]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('with DONTUNMAP leaves an area that shows the file again, and unlocked', () => {
    makeFile(4);
    map(4, MapFlag.Locked, file);
    store(HIGH, 1);
    expect(remap(HIGH, 4, 4, MremapFlag.MayMove | MremapFlag.DontUnmap | MremapFlag.Fixed, TO)).toBe(TO);
    expect([load(HIGH), load(TO)]).toEqual([100, 1]);
    expect([flagsAt(HIGH) & VmFlag.Locked, flagsAt(TO) & VmFlag.Locked]).toEqual([0, VmFlag.Locked]);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('the file', () => {
  it('goes when its last area and opener have gone', () => {
    const { kernel } = machine;
    makeFile(4);
    map(4, MapFlag.Shared, file);
    protect(HIGH + 1, 1, Prot.Read);
    store(HIGH, 1);
    kernel.pageCache.close(file);
    expect(kernel.pageCache.get(file.mapping.id)).not.toBeNull();
    expect(run(kernel, machine.calls.memoryMap.munmap(mm, vpn(HIGH), 4))).toBe(Errno.OK);
    expect([kernel.pageCache.get(file.mapping.id), kernel.ram.usedPages]).toEqual([null, 1]);
  });

  it('is one for all who open it', () => {
    const { kernel } = machine;
    makeFile(4);
    const again = kernel.pageCache.open(file, false);
    kernel.pageCache.close(file);
    expect(kernel.pageCache.read(again.mapping, 2)[0]).toBe(102);
    expect(kernel.pageCache.find(again.mapping, 2)).not.toBe(NO_PFN);
    kernel.pageCache.close(again);
    expect(kernel.ram.usedPages).toBe(1);
  });
});
