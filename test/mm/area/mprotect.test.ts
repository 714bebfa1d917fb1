/** mprotect: areas split and merge, entries lose what they must, and get back at once only what is safe. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, vpn } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import {
  formatPte,
  makePte,
  PteBit,
  PteKind,
  pteAllows,
  pteHas,
  pteKind,
  ptePfn,
} from '../../../src/mm/table/pte.js';
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
  TestCpu,
  TestDevice,
} from '../harness.js';

const HIGH = 2 ** 34;
const R = Prot.Read;
const RW = Prot.Read | Prot.Write;

interface Setup {
  machine: Machine;
  mm: Mm;
  cpu: TestCpu;
  protect: (page: number, npages: number, prot: number) => Errno;
}

function setup(): Setup {
  const machine = makeMachine({ vramPages: [16] });
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, HIGH, 8);
  const protect = (page: number, npages: number, prot: number): Errno =>
    run(machine.kernel, machine.calls.mprotect.mprotect(mm, vpn(page), npages, prot));
  return { machine, mm, cpu: new TestCpu(machine, mm), protect };
}

describe('areas', () => {
  it('are split where the protection changes and merge when it is the same again', () => {
    const { mm, protect } = setup();
    expect(protect(HIGH + 2, 3, R)).toBe(Errno.OK);
    expect(areasOf(mm)).toEqual([`${HIGH}+2 rw-`, `${HIGH + 2}+3 r--`, `${HIGH + 5}+3 rw-`]);
    expect(protect(HIGH + 4, 4, R)).toBe(Errno.OK);
    expect(areasOf(mm)).toEqual([`${HIGH}+2 rw-`, `${HIGH + 2}+6 r--`]);
    expect(protect(HIGH, 8, RW | Prot.Exec)).toBe(Errno.OK);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rwx`]);
  });

  it('still merge after faults on both sides of a split', () => {
    const { machine, mm, cpu, protect } = setup();
    protect(HIGH + 4, 4, RW | Prot.Exec);
    run(machine.kernel, cpu.store(HIGH, 1));
    run(machine.kernel, cpu.store(HIGH + 4, 2));
    protect(HIGH + 4, 4, RW);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`]);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('errors', () => {
  it('are -ENOMEM at a hole, after what lies before it has been changed', () => {
    const { machine, mm, protect } = setup();
    mapFixed(machine, mm, HIGH + 12, 4);
    expect(protect(HIGH + 4, 12, R)).toBe(Errno.ENOMEM);
    expect(areasOf(mm)).toEqual([`${HIGH}+4 rw-`, `${HIGH + 4}+4 r--`, `${HIGH + 12}+4 rw-`]);
    expect(protect(HIGH + 10, 4, R)).toBe(Errno.ENOMEM);
    expect(areasOf(mm)).toHaveLength(3);
  });

  it('are -ENOMEM beyond the address space, and none for no pages', () => {
    const { protect } = setup();
    expect(protect(TASK_SIZE_PAGES - 1, 4, R)).toBe(Errno.ENOMEM);
    expect(protect(HIGH + 100, 0, R)).toBe(Errno.OK);
  });
});

describe('events', () => {
  it('are one PROTECTION_VMA per area, over what changes, before any entry changes', () => {
    const { machine, mm, cpu, protect } = setup();
    protect(HIGH + 4, 4, RW | Prot.Exec);
    run(machine.kernel, cpu.store(HIGH + 3, 1));
    run(machine.kernel, cpu.store(HIGH + 4, 1));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH - 4, 32);
    mirror.onEvent = function* (range) {
      expect(pteHas(pteOf(mm, range.start === HIGH + 2 ? HIGH + 3 : HIGH + 4), PteBit.Write)).toBe(true);
    };
    protect(HIGH + 2, 5, R);
    expect(mirror.take()).toEqual([`PROTECTION_VMA ${HIGH + 2}+2`, `PROTECTION_VMA ${HIGH + 4}+3`]);
  });

  it('are none where nothing changes, or nothing was ever populated', () => {
    const { machine, mm, cpu, protect } = setup();
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    protect(HIGH, 8, R);
    protect(HIGH, 8, RW);
    run(machine.kernel, cpu.store(HIGH, 1));
    protect(HIGH, 8, RW);
    expect(mirror.take()).toEqual([]);
  });
});

describe('entries', () => {
  it('lose write access at once, in every TLB', () => {
    const { machine, cpu, protect } = setup();
    run(machine.kernel, cpu.store(HIGH, 1));
    protect(HIGH, 8, R);
    expect(run(machine.kernel, cpu.store(HIGH, 2))).toBe(Errno.EFAULT);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(1);
  });

  it('lose all access with PROT_NONE and keep their page', () => {
    const { machine, mm, cpu, protect } = setup();
    run(machine.kernel, cpu.store(HIGH, 1));
    run(machine.kernel, cpu.load(HIGH + 1));
    protect(HIGH, 8, Prot.None);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(Errno.EFAULT);
    expect(run(machine.kernel, cpu.load(HIGH + 1))).toBe(Errno.EFAULT);
    expect(pteHas(pteOf(mm, HIGH), PteBit.ProtNone)).toBe(true);
    protect(HIGH, 8, R);
    expect(pteAllows(pteOf(mm, HIGH), false)).toBe(true);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(1);
    expect(run(machine.kernel, cpu.load(HIGH + 1))).toBe(0);
    checkAccounting(machine.kernel, [mm]);
  });

  it('become writable again at once only where the page is exclusive', () => {
    const { machine, mm, cpu, protect } = setup();
    run(machine.kernel, cpu.store(HIGH, 1));
    run(machine.kernel, cpu.store(HIGH + 1, 1));
    run(machine.kernel, cpu.load(HIGH + 2));
    protect(HIGH, 8, R);
    const shared = ptePfn(pteOf(mm, HIGH + 1));
    machine.kernel.folios.clearFlag(shared, FolioFlag.AnonExclusive);
    protect(HIGH, 8, RW);
    const writable = [0, 1, 2].map((i) => pteHas(pteOf(mm, HIGH + i), PteBit.Write));
    expect(writable).toEqual([true, false, false]);
    for (let i = 0; i < 3; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
    for (let i = 0; i < 3; i++) expect(run(machine.kernel, cpu.load(HIGH + i))).toBe(10 + i);
    expect(machine.kernel.memory.isZero(machine.kernel.zeroPage)).toBe(true);
    checkAccounting(machine.kernel, [mm]);
  });

  it('of pages in migration and on a device give up write access too', () => {
    const { machine, mm, cpu, protect } = setup();
    const device = new TestDevice(machine.kernel);
    for (let i = 0; i < 3; i++) run(machine.kernel, cpu.store(HIGH + i, i));
    device.takePage(mm, HIGH);
    const slot = mm.pageTable.slot(HIGH + 1);
    const present = pteOf(mm, HIGH + 1);
    const pfn = ptePfn(present);
    mm.pageTable.write(slot, makePte(PteKind.Migration, pfn, PteBit.Write | PteBit.Dirty));
    protect(HIGH, 8, R);
    expect(pteOf(mm, HIGH + 1)).toBe(makePte(PteKind.Migration, pfn, PteBit.Exclusive | PteBit.Dirty));
    expect(pteKind(pteOf(mm, HIGH))).toBe(PteKind.DevicePrivate);
    expect(pteHas(pteOf(mm, HIGH), PteBit.Write)).toBe(false);
    protect(HIGH, 8, RW);
    expect(pteHas(pteOf(mm, HIGH), PteBit.Write)).toBe(false);
    mm.pageTable.write(slot, present);
    expect(run(machine.kernel, cpu.store(HIGH, 5))).toBe(Errno.OK);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(5);
    checkAccounting(machine.kernel, [mm]);
  });

  it('keep what the hardware marked in them', () => {
    const { machine, mm, cpu, protect } = setup();
    run(machine.kernel, cpu.store(HIGH, 1));
    protect(HIGH, 8, R);
    expect(formatPte(pteOf(mm, HIGH))).toContain('young dirty');
  });
});

describe('concurrent stores', () => {
  it('either happen before the protection or are refused', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const machine = makeMachine({ seed, pagesPerStep: 1 });
      const mm = makeMm(machine.kernel);
      mapFixed(machine, mm, HIGH, 4);
      const cpus = [new TestCpu(machine, mm, 0), new TestCpu(machine, mm, 1)];
      run(machine.kernel, cpus[0].store(HIGH + 1, 1));
      const [first, second] = runAll<Errno>(machine.kernel, [
        cpus[0].store(HIGH + 1, 2),
        cpus[1].store(HIGH + 2, 3),
        machine.calls.mprotect.mprotect(mm, vpn(HIGH), 4, R),
      ]);
      expect(run(machine.kernel, cpus[0].load(HIGH + 1))).toBe(first === Errno.OK ? 2 : 1);
      expect(run(machine.kernel, cpus[1].load(HIGH + 2))).toBe(second === Errno.OK ? 3 : 0);
      checkAccounting(machine.kernel, [mm]);
    }
  });
});
