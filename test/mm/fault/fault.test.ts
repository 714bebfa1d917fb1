/** CPU faults: what each kind of entry turns into, which accesses are refused, and what happens when two threads fault at once. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { AllocSite, FailureInjector } from '../../../src/memory/failureInjector.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import {
  makePte,
  PTE_WRITTEN,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  pteKind,
  ptePfn,
  pteWith,
  pteWithout,
} from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
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
  StepRecorder,
  settle,
  spawn,
  TestCpu,
  TestDevice,
  wordsOf,
} from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea, mapHugePage } from '../huge/hugeHarness.js';

const HIGH = 2 ** 34;

interface Setup {
  machine: Machine;
  mm: Mm;
  cpu: TestCpu;
  fault: (page: number, write: boolean) => Errno;
}

function setup(options: KernelOptions = {}, prot: number = Prot.Read | Prot.Write): Setup {
  const machine = makeMachine(options);
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, HIGH, 8, prot);
  const fault = (page: number, write: boolean): Errno =>
    run(machine.kernel, machine.calls.faults.cpuFault(mm, vpn(page), write));
  return { machine, mm, cpu: new TestCpu(machine, mm), fault };
}

describe('a page that is there', () => {
  /** As HMM asks, which holds mmap_lock. */
  function touch({ machine, mm }: Pick<Setup, 'machine' | 'mm'>, page: number, write: boolean): boolean {
    const vma = mm.vmas.find(vpn(page));
    if (vma === null) throw new Error('no area');
    return run(
      machine.kernel,
      (function* (): Steps<boolean> {
        yield* mm.mmapLock.read();
        const touched = machine.calls.faults.touchPresent(mm, vma, vpn(page), write);
        mm.mmapLock.readUnlock();
        return touched;
      })(),
    );
  }

  function age(mm: Mm, page: number): void {
    const slot = mm.pageTable.slot(page);
    const marks = PteBit.Young | PTE_WRITTEN;
    mm.pageTable.write(slot, pteWithout(pteFromWord(mm.pageTable.read(slot)), marks));
  }

  it.each([false, true])('is marked as a fault would mark it, store: %s', (write) => {
    const { machine, mm, cpu, fault } = setup();
    run(machine.kernel, cpu.store(HIGH, 5));
    run(machine.kernel, cpu.store(HIGH + 1, 6));
    for (const page of [HIGH, HIGH + 1]) age(mm, page);
    expect(fault(HIGH, write)).toBe(Errno.OK);
    expect(touch({ machine, mm }, HIGH + 1, write)).toBe(true);
    const marks = [HIGH, HIGH + 1].map((page) => pteOf(mm, page) & (PteBit.Young | PTE_WRITTEN));
    expect(marks[1]).toBe(marks[0]);
    expect(marks[1] & PteBit.Young).toBe(PteBit.Young);
  });

  it('is left to a fault where it is none, may not be written, or has a leaf', () => {
    const { machine, mm, fault } = setup({ ramPages: HUGE_RAM });
    expect(touch({ machine, mm }, HIGH, false)).toBe(false);
    expect(fault(HIGH, false)).toBe(Errno.OK);
    expect(touch({ machine, mm }, HIGH, false)).toBe(true);
    expect(touch({ machine, mm }, HIGH, true)).toBe(false);
    mapHugeArea(machine, mm);
    mapHugePage(machine, mm, HUGE_AREA, PteBit.Huge | PteBit.Write);
    const before = pteOf(mm, HUGE_AREA + 3);
    expect(touch({ machine, mm }, HUGE_AREA + 3, true)).toBe(false);
    expect(pteOf(mm, HUGE_AREA + 3)).toBe(before);
  });
});

describe('access rights', () => {
  it('refuses an address without area', () => {
    const { fault } = setup();
    expect(fault(HIGH - 1, false)).toBe(Errno.EFAULT);
    expect(fault(HIGH + 8, true)).toBe(Errno.EFAULT);
    expect(fault(0, false)).toBe(Errno.EFAULT);
  });

  it('refuses a store to a read-only area, whatever the entry is', () => {
    const { fault } = setup({}, Prot.Read);
    expect(fault(HIGH, true)).toBe(Errno.EFAULT);
    expect(fault(HIGH, false)).toBe(Errno.OK);
    expect(fault(HIGH, true)).toBe(Errno.EFAULT);
  });

  it('refuses everything in a PROT_NONE area', () => {
    const { fault, mm } = setup({}, Prot.None);
    expect(fault(HIGH, false)).toBe(Errno.EFAULT);
    expect(fault(HIGH, true)).toBe(Errno.EFAULT);
    expect(pteOf(mm, HIGH)).toBe(0);
  });

  it('lets the CPU read what is mapped for writing or executing only, as x86 does', () => {
    expect(setup({}, Prot.Write).fault(HIGH, false)).toBe(Errno.OK);
    expect(setup({}, Prot.Exec).fault(HIGH, false)).toBe(Errno.OK);
    expect(setup({}, Prot.Exec).fault(HIGH, true)).toBe(Errno.EFAULT);
  });
});

describe('anonymous memory', () => {
  it('reads as zeros without a page of its own, reference or anon_vma', () => {
    const { machine, mm, fault, cpu } = setup();
    expect(fault(HIGH, false)).toBe(Errno.OK);
    const pte = pteOf(mm, HIGH);
    expect(pteKind(pte)).toBe(PteKind.Present);
    expect(ptePfn(pte)).toBe(machine.kernel.zeroPage);
    expect(pteHas(pte, PteBit.Write)).toBe(false);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(0);
    expect(machine.kernel.folios.refcount(machine.kernel.zeroPage)).toBe(1);
    expect(machine.kernel.folios.mapcount(machine.kernel.zeroPage)).toBe(0);
    expect(machine.kernel.ram.usedPages).toBe(1);
    expect(mm.vmas.find(vpn(HIGH))?.anonVma).toBeNull();
  });

  it('gets a zeroed, exclusive, mapped page at the first store', () => {
    const { machine, mm, fault } = setup();
    const { folios, memory } = machine.kernel;
    expect(fault(HIGH + 2, true)).toBe(Errno.OK);
    const pte = pteOf(mm, HIGH + 2);
    const pfn = ptePfn(pte);
    const written = PteBit.Write | PteBit.Young | PteBit.Dirty | PteBit.SoftDirty;
    expect(pte).toBe(makePte(PteKind.Present, pfn, written));
    expect(memory.isZero(pfn)).toBe(true);
    expect([folios.refcount(pfn), folios.mapcount(pfn), folios.isLocked(pfn)]).toEqual([1, 1, false]);
    expect(folios.testFlag(pfn, FolioFlag.AnonExclusive)).toBe(true);
    expect(folios.testFlag(pfn, FolioFlag.Lru)).toBe(true);
    expect(folios.mapping(pfn)).toBe(mm.vmas.find(vpn(HIGH))?.anonVma?.id);
    expect(folios.index(pfn)).toBe(HIGH + 2);
  });

  it('does not show what its page held before', () => {
    const { machine, cpu } = setup();
    const { kernel } = machine;
    const used = kernel.allocPage();
    wordsOf(kernel, used).fill(-1);
    kernel.folios.put(used);
    run(kernel, cpu.store(HIGH, 1));
    expect(run(kernel, cpu.load(HIGH, 77))).toBe(0);
  });

  it('is shared by two threads that fault at once, and the spare page is freed', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { machine, mm } = setup({ seed });
      const cpus = [new TestCpu(machine, mm, 0), new TestCpu(machine, mm, 1)];
      runAll(
        machine.kernel,
        cpus.map((cpu, i) => cpu.store(HIGH, 10 + i, i)),
      );
      expect(run(machine.kernel, cpus[0].load(HIGH, 0))).toBe(10);
      expect(run(machine.kernel, cpus[0].load(HIGH, 1))).toBe(11);
      expect(machine.kernel.ram.usedPages).toBe(2);
      checkAccounting(machine.kernel, [mm]);
    }
  });

  it('is spurious where the entry already allows the access', () => {
    const { mm, fault } = setup();
    fault(HIGH, true);
    const before = pteOf(mm, HIGH);
    mm.pageTable.write(mm.pageTable.slot(HIGH), before & ~(PteBit.Young | PteBit.Dirty));
    expect(fault(HIGH, true)).toBe(Errno.OK);
    expect(pteOf(mm, HIGH)).toBe(before);
  });
});

describe('out of memory', () => {
  it('is -ENOMEM for a page, with nothing changed', () => {
    const { machine, mm, fault } = setup();
    const injector = new FailureInjector();
    injector.failNext(AllocSite.RamPage, 2);
    machine.kernel.injectFailures(injector);
    expect(fault(HIGH, true)).toBe(Errno.ENOMEM);
    expect(pteOf(mm, HIGH)).toBe(0);
    expect(fault(HIGH, false)).toBe(Errno.OK);
    expect(fault(HIGH, true)).toBe(Errno.ENOMEM);
    machine.kernel.injectFailures(null);
    expect(fault(HIGH, true)).toBe(Errno.OK);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is -ENOMEM for a page table', () => {
    const { machine, mm, fault } = setup({ tables: 4 });
    expect(fault(HIGH, false)).toBe(Errno.OK);
    mapFixed(machine, mm, HIGH + 4096, 1);
    expect(fault(HIGH + 4096, false)).toBe(Errno.ENOMEM);
  });
});

describe('migration entries', () => {
  it('make the thread wait until the page is unlocked, then look again', () => {
    const { machine, mm, cpu } = setup();
    const { kernel } = machine;
    run(kernel, cpu.store(HIGH, 42));
    const slot = mm.pageTable.slot(HIGH);
    const present = pteOf(mm, HIGH);
    const pfn = ptePfn(present);
    const migrate = function* (): Steps<void> {
      kernel.folios.get(pfn);
      kernel.folioLocks.lockNew(pfn);
      mm.pageTable.write(slot, makePte(PteKind.Migration, pfn, PteBit.Write));
      kernel.folios.removeRmap(pfn);
      kernel.folios.put(pfn);
      kernel.flushCpuTlbs();
      const reader = spawn(kernel, 'reader', cpu.load(HIGH));
      yield* kernel.sched.sleep(100);
      expect(reader.state).toBe('blocked');
      kernel.folios.addRmap(pfn);
      mm.pageTable.write(slot, present);
      kernel.folioLocks.unlock(pfn);
    };
    run(kernel, migrate());
    settle(kernel);
    expect(run(kernel, cpu.load(HIGH))).toBe(42);
    checkAccounting(kernel, [mm]);
  });

  it('without a locked page are a broken invariant', () => {
    const { machine, mm, fault } = setup();
    fault(HIGH, true);
    const pfn = ptePfn(pteOf(mm, HIGH));
    mm.pageTable.write(mm.pageTable.slot(HIGH), makePte(PteKind.Migration, pfn, 0));
    expect(() => fault(HIGH, false)).toThrow(AssertionFailure);
    expect(machine.kernel.folios.refcount(pfn)).toBe(1);
  });
});

describe('device-private pages', () => {
  function withDevice(options: KernelOptions = {}): Setup & { device: TestDevice } {
    const made = setup({ vramPages: [16], ...options });
    return { ...made, device: new TestDevice(made.machine.kernel) };
  }

  it('come home on a CPU access, locked and with one reference of the fault', () => {
    const { machine, mm, cpu, device } = withDevice();
    const { kernel } = machine;
    run(kernel, cpu.store(HIGH, 99));
    const pfn = device.takePage(mm, HIGH);
    device.beforeMigrate = function* (fault) {
      expect([fault.mm === mm, fault.page, fault.pfn]).toEqual([true, HIGH, pfn]);
      expect(kernel.folios.lockOwner(pfn)).toBe(kernel.sched.self.id);
      expect([kernel.folios.refcount(pfn), kernel.folios.mapcount(pfn)]).toEqual([2, 1]);
      mm.mmapLock.assertHeld();
    };
    expect(run(kernel, cpu.load(HIGH))).toBe(99);
    expect(device.migrations).toBe(1);
    expect(device.vram.usedPages).toBe(0);
    checkAccounting(kernel, [mm]);
  });

  it('kill the access when they cannot come home', () => {
    const { machine, mm, cpu, device } = withDevice();
    run(machine.kernel, cpu.store(HIGH, 99));
    const pfn = device.takePage(mm, HIGH);
    device.refuseWith = Errno.ENOMEM;
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(Errno.EFAULT);
    expect(machine.kernel.folios.isLocked(pfn)).toBe(false);
    expect(machine.kernel.folios.refcount(pfn)).toBe(1);
    device.refuseWith = null;
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(99);
  });

  it('are brought home once, however many threads fault; the others wait for the lock', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const { machine, mm, cpu, device } = withDevice({ seed });
      const other = new TestCpu(machine, mm, 1);
      run(machine.kernel, cpu.store(HIGH, 7));
      device.takePage(mm, HIGH);
      device.beforeMigrate = () => machine.kernel.sched.sleep(500);
      expect(runAll(machine.kernel, [cpu.load(HIGH), other.load(HIGH)])).toEqual([7, 7]);
      expect(device.migrations).toBe(1);
      checkAccounting(machine.kernel, [mm]);
    }
  });

  it('wait for whoever has the page locked, and then look again', () => {
    const { machine, mm, cpu, device } = withDevice();
    const { kernel } = machine;
    run(kernel, cpu.store(HIGH, 7));
    const pfn = device.takePage(mm, HIGH);
    const holder = function* (): Steps<void> {
      kernel.folioLocks.lockNew(pfn);
      const reader = spawn(kernel, 'reader', cpu.load(HIGH));
      yield* kernel.sched.sleep(100);
      expect(reader.state).toBe('blocked');
      expect(device.migrations).toBe(0);
      kernel.folioLocks.unlock(pfn);
    };
    run(kernel, holder());
    settle(kernel);
    expect(device.migrations).toBe(1);
    expect(run(kernel, cpu.load(HIGH))).toBe(7);
  });

  it('of a read-only area are refused before the device is asked', () => {
    const { machine, mm, cpu, device } = withDevice();
    run(machine.kernel, cpu.store(HIGH, 7));
    device.takePage(mm, HIGH);
    run(machine.kernel, machine.calls.mprotect.mprotect(mm, vpn(HIGH), 8, Prot.Read));
    expect(run(machine.kernel, cpu.store(HIGH, 8))).toBe(Errno.EFAULT);
    expect(device.migrations).toBe(0);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(7);
    expect(device.migrations).toBe(1);
  });
});

describe('other entries', () => {
  it('that forbid access in an accessible area are allowed again', () => {
    const { machine, mm, cpu, fault } = setup();
    run(machine.kernel, cpu.store(HIGH, 5));
    const slot = mm.pageTable.slot(HIGH);
    const before = pteFromWord(mm.pageTable.read(slot));
    mm.pageTable.write(slot, pteWith(before, PteBit.ProtNone) & ~PteBit.Write);
    machine.kernel.flushCpuTlbs();
    expect(fault(HIGH, true)).toBe(Errno.OK);
    expect(pteOf(mm, HIGH)).toBe(before);
  });

  it('that forbid access are not made writable where the next store is to be noticed', () => {
    const { machine, mm, cpu } = setup();
    const { kernel, calls } = machine;
    run(kernel, cpu.store(HIGH, 5));
    run(kernel, calls.pagemap.clearSoftDirty(mm));
    mm.pageTable.write(mm.pageTable.slot(HIGH), pteWith(pteOf(mm, HIGH), PteBit.ProtNone));
    kernel.flushCpuTlbs();
    const isSoftDirty = (): boolean => calls.pagemap.read(mm, vpn(HIGH)).softDirty;
    expect([run(kernel, cpu.load(HIGH)), isSoftDirty()]).toEqual([5, false]);
    expect([run(kernel, cpu.store(HIGH, 6)), isSoftDirty()]).toEqual([Errno.OK, true]);
  });

  it('that mark poison or a guard kill the access', () => {
    const { machine, mm, fault } = setup();
    fault(HIGH, false);
    const slot = mm.pageTable.slot(HIGH);
    for (const kind of [PteKind.HwPoison, PteKind.Marker]) {
      mm.pageTable.write(slot, makePte(kind, machine.kernel.zeroPage, 0));
      expect(fault(HIGH, false)).toBe(Errno.EFAULT);
    }
    mm.pageTable.write(slot, 0);
  });
});

describe('steps', () => {
  it('are named at each boundary of a first store', () => {
    const { machine, fault } = setup();
    const steps = new StepRecorder(machine.kernel);
    fault(HIGH, true);
    expect(steps.take('fault')).toEqual([
      'fault.cpu',
      'fault.handle',
      'fault.allocated',
      'fault.anonymous',
      'fault.cpuDone',
    ]);
  });

  it('take the modelled time of a fault', () => {
    const costs = { cpuFaultNs: 1500, migratePageNs: 0, hmmPageNs: 0, tlbShootdownNs: 0, syscallNs: 0 };
    const { machine, fault } = setup({ costs });
    fault(HIGH, true);
    expect(machine.kernel.sched.now()).toBe(1500);
  });

  it('raise no event where nothing was mapped', () => {
    const { machine, mm, fault } = setup();
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    fault(HIGH, true);
    fault(HIGH + 1, false);
    expect(mirror.take()).toEqual([]);
  });
});
