/** Stores to read-only entries: when a page is reused, when it is copied, and what mirrors are told. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import type { Pfn } from '../../../src/memory/pfn.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { joinAnonVma } from '../../../src/mm/rmap/anonVmaLinks.js';
import { PteBit, pteHas, ptePfn, pteWithout } from '../../../src/mm/table/pte.js';
import {
  checkAccounting,
  type KernelOptions,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  RecordingNotifier,
  run,
  runAll,
  TestCpu,
  wordsOf,
} from '../harness.js';

const HIGH = 2 ** 34;

interface Setup {
  machine: Machine;
  mm: Mm;
  cpu: TestCpu;
}

function setup(options: KernelOptions = {}): Setup {
  const machine = makeMachine(options);
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, HIGH, 4);
  return { machine, mm, cpu: new TestCpu(machine, mm) };
}

/** Takes write access from a present entry, as fork does. */
function writeProtect({ machine, mm }: Setup, page: number): Pfn {
  const pte = pteOf(mm, page);
  mm.pageTable.write(mm.pageTable.slot(page), pteWithout(pte, PteBit.Write));
  machine.kernel.flushCpuTlbs();
  return ptePfn(pte);
}

/** Maps the page a second time, read-only, in another address space, as fork does. */
function share(made: Setup, page: number): Mm {
  const { machine, mm } = made;
  const { folios } = machine.kernel;
  const pfn = writeProtect(made, page);
  const child = makeMm(machine.kernel, 2);
  mapFixed(machine, child, HIGH, 4);
  const vma = child.vmas.find(vpn(HIGH));
  const anonVma = machine.kernel.anonVmas.get(folios.mapping(pfn));
  if (vma !== null && anonVma !== null) joinAnonVma(child, vma, anonVma);
  folios.clearFlag(pfn, FolioFlag.AnonExclusive);
  folios.get(pfn);
  folios.addRmap(pfn);
  child.pageTable.write(child.pageTable.ensure(page), pteOf(mm, page));
  return child;
}

describe('copy on write', () => {
  it('replaces the zero page by a page of zeros inside a CLEAR of one page', () => {
    const { machine, mm, cpu } = setup();
    const used = machine.kernel.allocPage();
    wordsOf(machine.kernel, used).fill(-1);
    machine.kernel.folios.put(used);
    expect(run(machine.kernel, cpu.load(HIGH + 1))).toBe(0);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
    mirror.onEvent = function* () {
      expect(ptePfn(pteOf(mm, HIGH + 1))).toBe(machine.kernel.zeroPage);
    };
    expect(run(machine.kernel, cpu.store(HIGH + 1, 9, 3))).toBe(Errno.OK);
    expect(mirror.take()).toEqual([`CLEAR ${HIGH + 1}+1`]);
    expect(run(machine.kernel, cpu.load(HIGH + 1, 3))).toBe(9);
    expect(run(machine.kernel, cpu.load(HIGH + 1, 0))).toBe(0);
    expect(machine.kernel.memory.isZero(machine.kernel.zeroPage)).toBe(true);
    checkAccounting(machine.kernel, [mm]);
  });

  it('reuses an exclusive page at once, without an event', () => {
    const made = setup();
    const { machine, mm, cpu } = made;
    run(machine.kernel, cpu.store(HIGH, 1));
    const pfn = writeProtect(made, HIGH);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
    run(machine.kernel, cpu.store(HIGH, 2));
    expect(mirror.take()).toEqual([]);
    expect(ptePfn(pteOf(mm, HIGH))).toBe(pfn);
  });

  it('takes over a page that is not exclusive but has no other user', () => {
    const made = setup();
    const { machine, mm, cpu } = made;
    run(machine.kernel, cpu.store(HIGH, 1));
    const pfn = writeProtect(made, HIGH);
    machine.kernel.folios.clearFlag(pfn, FolioFlag.AnonExclusive);
    run(machine.kernel, cpu.store(HIGH, 2));
    expect(ptePfn(pteOf(mm, HIGH))).toBe(pfn);
    expect(machine.kernel.folios.testFlag(pfn, FolioFlag.AnonExclusive)).toBe(true);
    expect(machine.kernel.folios.isLocked(pfn)).toBe(false);
    checkAccounting(machine.kernel, [mm]);
  });

  it('copies a page that another address space maps too; the last one then reuses it', () => {
    const made = setup();
    const { machine, mm, cpu } = made;
    const { kernel } = machine;
    run(kernel, cpu.store(HIGH, 1));
    run(kernel, cpu.store(HIGH, 77, 1023));
    const child = share(made, HIGH);
    const childCpu = new TestCpu(machine, child, 1);
    const shared = ptePfn(pteOf(mm, HIGH));
    const mirror = new RecordingNotifier(kernel, mm, HIGH, 4);
    const childMirror = new RecordingNotifier(kernel, child, HIGH, 4);

    expect(run(kernel, childCpu.load(HIGH))).toBe(1);
    run(kernel, cpu.store(HIGH, 2));
    expect(mirror.take()).toEqual([`CLEAR ${HIGH}+1`]);
    expect(childMirror.take()).toEqual([]);
    expect(run(kernel, cpu.load(HIGH))).toBe(2);
    expect(run(kernel, cpu.load(HIGH, 1023))).toBe(77);
    expect(run(kernel, childCpu.load(HIGH))).toBe(1);

    run(kernel, childCpu.store(HIGH, 3));
    expect(ptePfn(pteOf(child, HIGH))).toBe(shared);
    expect(childMirror.take()).toEqual([]);
    expect(run(kernel, cpu.load(HIGH))).toBe(2);
    checkAccounting(kernel, [mm, child]);
  });

  it('copies a page that somebody holds a reference to', () => {
    const made = setup();
    const { machine, mm, cpu } = made;
    run(machine.kernel, cpu.store(HIGH, 1));
    const pfn = writeProtect(made, HIGH);
    machine.kernel.folios.clearFlag(pfn, FolioFlag.AnonExclusive);
    machine.kernel.folios.get(pfn);
    run(machine.kernel, cpu.store(HIGH, 2));
    expect(ptePfn(pteOf(mm, HIGH))).not.toBe(pfn);
    expect(machine.kernel.folios.refcount(pfn)).toBe(1);
    machine.kernel.folios.put(pfn);
    checkAccounting(machine.kernel, [mm]);
  });

  it('leaves no CPU thread with the old page: a store is seen by all', () => {
    const { machine, mm, cpu } = setup();
    const other = new TestCpu(machine, mm, 1);
    expect(run(machine.kernel, other.load(HIGH))).toBe(0);
    run(machine.kernel, cpu.store(HIGH, 5));
    expect(run(machine.kernel, other.load(HIGH))).toBe(5);
  });

  it('is done once when several threads store at once, and loses no store', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const made = setup({ seed });
      const { machine, mm, cpu } = made;
      const other = new TestCpu(machine, mm, 1);
      run(machine.kernel, cpu.load(HIGH));
      runAll(machine.kernel, [cpu.store(HIGH, 1, 1), other.store(HIGH, 2, 2), cpu.load(HIGH)]);
      expect(run(machine.kernel, cpu.load(HIGH, 1))).toBe(1);
      expect(run(machine.kernel, other.load(HIGH, 2))).toBe(2);
      expect(machine.kernel.ram.usedPages).toBe(2);
      checkAccounting(machine.kernel, [mm]);
    }
  });

  it('gives up its copy when the entry changed while mirrors were told', () => {
    const { machine, mm, cpu } = setup();
    run(machine.kernel, cpu.load(HIGH));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 1);
    mirror.onEvent = function* () {
      // As a concurrent fault would; the mirror then sees nothing of its own fault again.
      mirror.onEvent = null;
      mm.pageTable.write(mm.pageTable.slot(HIGH), 0);
      machine.kernel.flushCpuTlbs();
    };
    run(machine.kernel, cpu.store(HIGH, 4));
    expect(mirror.take()).toEqual([`CLEAR ${HIGH}+1`]);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(4);
    expect(pteHas(pteOf(mm, HIGH), PteBit.Write)).toBe(true);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is -ENOMEM without a page for the copy, and leaves the old page as it was', () => {
    const made = setup();
    const { machine, mm, cpu } = made;
    run(machine.kernel, cpu.store(HIGH, 1));
    const child = share(made, HIGH);
    const injector = new FailureInjector();
    injector.failNext(AllocSite.RamPage);
    machine.kernel.injectFailures(injector);
    expect(run(machine.kernel, cpu.store(HIGH, 2))).toBe(Errno.ENOMEM);
    machine.kernel.injectFailures(null);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(1);
    checkAccounting(machine.kernel, [mm, child]);
  });
});
