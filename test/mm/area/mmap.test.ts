/** mmap, munmap and brk: placement, replacement, merging, splitting, and what mirrors are told. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, vpn } from '../../../src/base/units.js';
import { MapFlag, type MmapArgs, Prot } from '../../../src/mm/area/mmap.js';
import { MMAP_BASE, MMAP_MIN } from '../../../src/mm/area/unmappedArea.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import {
  areasOf,
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  RecordingNotifier,
  run,
  runAll,
  StepRecorder,
  settle,
  spawn,
  TestCpu,
} from '../harness.js';

const RW = Prot.Read | Prot.Write;
const HIGH = 2 ** 34;

function setup(): { machine: Machine; mm: Mm; cpu: TestCpu } {
  const machine = makeMachine();
  const mm = makeMm(machine.kernel);
  return { machine, mm, cpu: new TestCpu(machine, mm) };
}

function map(machine: Machine, mm: Mm, args: Partial<MmapArgs>): number {
  const full = { hint: vpn(0), npages: 1, prot: RW, flags: 0, ...args };
  return run(machine.kernel, machine.calls.memoryMap.mmap(mm, full));
}

function unmap(machine: Machine, mm: Mm, start: number, npages: number): Errno {
  return run(machine.kernel, machine.calls.memoryMap.munmap(mm, vpn(start), npages));
}

describe('mmap placement', () => {
  it('goes from mmap_base down, one area below the other', () => {
    const { machine, mm } = setup();
    expect(map(machine, mm, { npages: 4 })).toBe(MMAP_BASE - 4);
    expect(map(machine, mm, { npages: 2, prot: Prot.Read })).toBe(MMAP_BASE - 6);
    expect(areasOf(mm)).toEqual([`${MMAP_BASE - 6}+2 r--`, `${MMAP_BASE - 4}+4 rw-`]);
  });

  it('takes the highest hole that is large enough', () => {
    const { machine, mm } = setup();
    map(machine, mm, { npages: 20 });
    unmap(machine, mm, MMAP_BASE - 15, 3);
    unmap(machine, mm, MMAP_BASE - 5, 2);
    expect(map(machine, mm, { npages: 3 })).toBe(MMAP_BASE - 15);
    expect(map(machine, mm, { npages: 2 })).toBe(MMAP_BASE - 5);
    expect(map(machine, mm, { npages: 1 })).toBe(MMAP_BASE - 21);
  });

  it('follows a hint only into free space', () => {
    const { machine, mm } = setup();
    expect(map(machine, mm, { hint: vpn(HIGH), npages: 4 })).toBe(HIGH);
    expect(map(machine, mm, { hint: vpn(HIGH + 3), npages: 4 })).toBe(MMAP_BASE - 4);
    expect(map(machine, mm, { hint: vpn(HIGH - 4), npages: 4 })).toBe(HIGH - 4);
    expect(map(machine, mm, { hint: vpn(1), npages: 1 })).toBe(MMAP_MIN);
    expect(map(machine, mm, { hint: vpn(TASK_SIZE_PAGES - 1), npages: 2 })).toBe(MMAP_BASE - 6);
  });

  it('uses what lies above mmap_base when nothing below is large enough', () => {
    const { machine, mm } = setup();
    mapFixed(machine, mm, MMAP_BASE - 5, 2);
    mapFixed(machine, mm, MMAP_MIN, MMAP_BASE - 5 - MMAP_MIN, Prot.None);
    expect(map(machine, mm, { npages: 4 })).toBe(TASK_SIZE_PAGES - 4);
    expect(map(machine, mm, { npages: 3 })).toBe(MMAP_BASE - 3);
    expect(map(machine, mm, { npages: TASK_SIZE_PAGES - MMAP_BASE })).toBe(Errno.ENOMEM);
  });

  it('refuses what cannot be', () => {
    const { machine, mm } = setup();
    const fixed = MapFlag.Fixed;
    expect(map(machine, mm, { npages: 0 })).toBe(Errno.EINVAL);
    expect(map(machine, mm, { npages: TASK_SIZE_PAGES + 1 })).toBe(Errno.ENOMEM);
    expect(map(machine, mm, { hint: vpn(TASK_SIZE_PAGES - 1), npages: 2, flags: fixed })).toBe(Errno.ENOMEM);
    expect(map(machine, mm, { hint: vpn(0), flags: fixed })).toBe(Errno.EPERM);
    expect(map(machine, mm, { hint: vpn(MMAP_MIN - 1), npages: 4, flags: fixed })).toBe(Errno.EPERM);
    expect(mm.vmas.size).toBe(0);
  });

  it('with MAP_FIXED_NOREPLACE refuses to overlap by a single page', () => {
    const { machine, mm } = setup();
    mapFixed(machine, mm, HIGH, 4);
    const flags = MapFlag.FixedNoReplace;
    expect(map(machine, mm, { hint: vpn(HIGH + 3), npages: 2, flags })).toBe(Errno.EEXIST);
    expect(map(machine, mm, { hint: vpn(HIGH - 2), npages: 3, flags })).toBe(Errno.EEXIST);
    expect(map(machine, mm, { hint: vpn(HIGH + 4), npages: 2, flags })).toBe(HIGH + 4);
  });
});

describe('mmap merging', () => {
  it('joins neighbours of the same protection into one area', () => {
    const { machine, mm } = setup();
    mapFixed(machine, mm, HIGH, 2);
    mapFixed(machine, mm, HIGH + 4, 2);
    expect(mm.vmas.size).toBe(2);
    mapFixed(machine, mm, HIGH + 2, 2);
    expect(areasOf(mm)).toEqual([`${HIGH}+6 rw-`]);
  });

  it('keeps areas of another protection or other flags apart', () => {
    const { machine, mm } = setup();
    mapFixed(machine, mm, HIGH, 2);
    mapFixed(machine, mm, HIGH + 2, 2, Prot.Read);
    map(machine, mm, {
      hint: vpn(HIGH + 4),
      npages: 2,
      prot: Prot.Read,
      flags: MapFlag.NoReserve | MapFlag.Fixed,
    });
    expect(mm.vmas.size).toBe(3);
  });

  it('does not join two areas that have different anon_vmas, but lets a new one join either', () => {
    const { machine, mm, cpu } = setup();
    mapFixed(machine, mm, HIGH, 2);
    mapFixed(machine, mm, HIGH + 4, 2);
    run(machine.kernel, cpu.store(HIGH, 1));
    run(machine.kernel, cpu.store(HIGH + 4, 2));
    mapFixed(machine, mm, HIGH + 2, 2);
    expect(areasOf(mm)).toEqual([`${HIGH}+4 rw-`, `${HIGH + 4}+2 rw-`]);
    run(machine.kernel, cpu.store(HIGH + 3, 3));
    checkAccounting(machine.kernel, [mm]);
  });

  it('gives a merged area the anon_vma of the half that has one', () => {
    const { machine, mm, cpu } = setup();
    mapFixed(machine, mm, HIGH + 2, 2);
    run(machine.kernel, cpu.store(HIGH + 2, 7));
    mapFixed(machine, mm, HIGH, 2);
    expect(mm.vmas.size).toBe(1);
    run(machine.kernel, cpu.store(HIGH, 8));
    expect(run(machine.kernel, cpu.load(HIGH + 2))).toBe(7);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('MAP_FIXED over existing mappings', () => {
  it('raises one UNMAP over the new span and starts from zeros', () => {
    const { machine, mm, cpu } = setup();
    mapFixed(machine, mm, HIGH, 4);
    mapFixed(machine, mm, HIGH + 6, 4, Prot.Read);
    run(machine.kernel, cpu.store(HIGH + 3, 11));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 16);
    mapFixed(machine, mm, HIGH + 2, 6);
    expect(mirror.take()).toEqual([`UNMAP ${HIGH + 2}+6`]);
    expect(run(machine.kernel, cpu.load(HIGH + 3))).toBe(0);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`, `${HIGH + 8}+2 r--`]);
    mapFixed(machine, mm, HIGH + 12, 2);
    expect(mirror.take()).toEqual([]);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('munmap', () => {
  it('splits the areas at both ends and keeps what lies outside', () => {
    const { machine, mm, cpu } = setup();
    mapFixed(machine, mm, HIGH, 10);
    for (const page of [0, 3, 4, 6, 7]) run(machine.kernel, cpu.store(HIGH + page, 100 + page));
    expect(unmap(machine, mm, HIGH + 4, 3)).toBe(Errno.OK);
    expect(areasOf(mm)).toEqual([`${HIGH}+4 rw-`, `${HIGH + 7}+3 rw-`]);
    expect(run(machine.kernel, cpu.load(HIGH + 3))).toBe(103);
    expect(run(machine.kernel, cpu.load(HIGH + 7))).toBe(107);
    expect(run(machine.kernel, cpu.load(HIGH + 4))).toBe(Errno.EFAULT);
    expect(run(machine.kernel, cpu.store(HIGH + 6, 1))).toBe(Errno.EFAULT);
    expect(machine.kernel.ram.usedPages).toBe(1 + 3);
    checkAccounting(machine.kernel, [mm]);
  });

  it('raises one UNMAP over the whole span, however many areas and holes it has', () => {
    const { machine, mm, cpu } = setup();
    mapFixed(machine, mm, HIGH, 2);
    mapFixed(machine, mm, HIGH + 2, 2, Prot.Read);
    mapFixed(machine, mm, HIGH + 6, 2);
    run(machine.kernel, cpu.store(HIGH, 1));
    run(machine.kernel, cpu.store(HIGH + 6, 1));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH - 8, 32);
    expect(unmap(machine, mm, HIGH - 4, 11)).toBe(Errno.OK);
    expect(mirror.take()).toEqual([`UNMAP ${HIGH - 4}+11`]);
    expect(areasOf(mm)).toEqual([`${HIGH + 7}+1 rw-`]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is no error and no event where nothing is mapped', () => {
    const { machine, mm } = setup();
    mapFixed(machine, mm, HIGH, 2);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH - 8, 32);
    expect(unmap(machine, mm, HIGH + 2, 4)).toBe(Errno.OK);
    expect(mirror.take()).toEqual([]);
    expect(mm.vmas.size).toBe(1);
  });

  it('refuses no pages and ranges beyond the address space', () => {
    const { machine, mm } = setup();
    expect(unmap(machine, mm, HIGH, 0)).toBe(Errno.EINVAL);
    expect(unmap(machine, mm, TASK_SIZE_PAGES - 1, 2)).toBe(Errno.EINVAL);
    expect(unmap(machine, mm, 0, TASK_SIZE_PAGES + 1)).toBe(Errno.EINVAL);
    expect(unmap(machine, mm, TASK_SIZE_PAGES - 1, 1)).toBe(Errno.OK);
  });

  it('frees the page tables that no area needs any more, whichever part goes last', () => {
    for (const order of [
      [0, 1024],
      [1024, 0],
    ]) {
      const { machine, mm, cpu } = setup();
      const before = machine.kernel.tables.freeTables;
      mapFixed(machine, mm, HIGH + 100, 2048);
      for (let i = 0; i < 4; i++) run(machine.kernel, cpu.store(HIGH + 512 * i + 100, i));
      unmap(machine, mm, HIGH + 100 + order[0], 1024);
      const kept = order[1] + 100;
      expect(run(machine.kernel, cpu.load(HIGH + kept))).toBe(order[1] / 512);
      unmap(machine, mm, HIGH + kept, 1024);
      expect(machine.kernel.tables.freeTables).toBe(before);
    }
  });

  it('forgets an anon_vma with the last area that used it', () => {
    const { machine, mm, cpu } = setup();
    mapFixed(machine, mm, HIGH, 4);
    run(machine.kernel, cpu.store(HIGH, 1));
    const id = mm.vmas.find(vpn(HIGH))?.anonVma?.id ?? 0;
    unmap(machine, mm, HIGH + 1, 1);
    unmap(machine, mm, HIGH, 1);
    expect(machine.kernel.anonVmas.get(id)).not.toBeNull();
    unmap(machine, mm, HIGH + 2, 2);
    expect(machine.kernel.anonVmas.get(id)).toBeNull();
  });

  it('drops pages only after every CPU TLB is flushed, and tells mirrors before it touches an entry', () => {
    const { machine, mm, cpu } = setup();
    mapFixed(machine, mm, HIGH, 4);
    for (let i = 0; i < 4; i++) run(machine.kernel, cpu.store(HIGH + i, i));
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
    mirror.onEvent = function* () {
      expect(machine.kernel.ram.usedPages).toBe(5);
      expect(mm.pageTable.get(HIGH + 2)).not.toBe(0);
    };
    const steps = new StepRecorder(machine.kernel);
    unmap(machine, mm, HIGH, 4);
    expect(steps.take('notifier', 'zap', 'unmap')).toEqual([
      'unmap.detached',
      'notifier.invStart',
      'notifier.callback',
      'notifier.invStarted',
      'zap.cleared',
      'zap.flushed',
      'notifier.invEnd',
      'zap.tablesFreed',
    ]);
    expect(machine.kernel.ram.usedPages).toBe(1);
  });

  it('lets faults elsewhere go on while it clears entries, but no change to the areas', () => {
    const { machine, mm, cpu } = setup();
    mapFixed(machine, mm, HIGH, 4);
    mapFixed(machine, mm, HIGH + 8, 4);
    run(machine.kernel, cpu.store(HIGH, 1));
    let reached = 0;
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
    mirror.onEvent = function* () {
      // The callback holds up munmap, which now has mmap_lock for read only.
      const fault = spawn(machine.kernel, 'fault', cpu.store(HIGH + 8, 5));
      yield* machine.kernel.sched.sleep(1000);
      expect(fault.state).toBe('done');
      const change = spawn(machine.kernel, 'change', machine.calls.memoryMap.munmap(mm, vpn(HIGH + 9), 1));
      yield* machine.kernel.sched.sleep(1000);
      expect(change.state).toBe('blocked');
      reached++;
    };
    expect(unmap(machine, mm, HIGH, 4)).toBe(Errno.OK);
    settle(machine.kernel);
    expect(reached).toBe(1);
    expect(areasOf(mm)).toEqual([`${HIGH + 8}+1 rw-`, `${HIGH + 10}+2 rw-`]);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('brk', () => {
  const HEAP = 0x5555;

  function heap(): { machine: Machine; mm: Mm; cpu: TestCpu; brk: (end: number) => number } {
    const made = setup();
    made.mm.brkStart = vpn(HEAP);
    made.mm.brkEnd = vpn(HEAP);
    const brk = (end: number): number =>
      run(made.machine.kernel, made.machine.calls.memoryMap.brk(made.mm, vpn(end)));
    return { ...made, brk };
  }

  it('grows as one area, keeps content, and shrinks with an UNMAP', () => {
    const { machine, mm, cpu, brk } = heap();
    expect(brk(0)).toBe(HEAP);
    expect(brk(HEAP + 4)).toBe(HEAP + 4);
    run(machine.kernel, cpu.store(HEAP + 1, 5));
    run(machine.kernel, cpu.store(HEAP + 3, 6));
    expect(brk(HEAP + 8)).toBe(HEAP + 8);
    expect(areasOf(mm)).toEqual([`${HEAP}+8 rw-`]);
    const mirror = new RecordingNotifier(machine.kernel, mm, HEAP, 8);
    expect(brk(HEAP + 2)).toBe(HEAP + 2);
    expect(mirror.take()).toEqual([`UNMAP ${HEAP + 2}+6`]);
    expect(run(machine.kernel, cpu.load(HEAP + 1))).toBe(5);
    expect(brk(HEAP + 4)).toBe(HEAP + 4);
    expect(run(machine.kernel, cpu.load(HEAP + 3))).toBe(0);
    checkAccounting(machine.kernel, [mm]);
  });

  it('stays where it is when it cannot move', () => {
    const { machine, mm, brk } = heap();
    mapFixed(machine, mm, HEAP + 8, 1);
    expect(brk(HEAP + 8)).toBe(HEAP);
    expect(brk(HEAP + 7)).toBe(HEAP + 7);
    expect(brk(HEAP - 1)).toBe(HEAP + 7);
    expect(brk(TASK_SIZE_PAGES + 1)).toBe(HEAP + 7);
    unmap(machine, mm, HEAP + 4, 3);
    expect(brk(HEAP + 4)).toBe(HEAP + 7);
    expect(areasOf(mm)).toEqual([`${HEAP}+4 rw-`, `${HEAP + 8}+1 rw-`]);
  });

  it('shrinks a heap of which the program has unmapped the last pages', () => {
    const { machine, mm, brk } = heap();
    expect(brk(HEAP + 7)).toBe(HEAP + 7);
    unmap(machine, mm, HEAP + 6, 1);
    expect(brk(HEAP + 2)).toBe(HEAP + 2);
    expect(areasOf(mm)).toEqual([`${HEAP}+2 rw-`]);
  });
});

describe('system calls of several threads', () => {
  it('map disjoint areas whatever the schedule', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const machine = makeMachine({ seed });
      const mm = makeMm(machine.kernel);
      const args = { hint: vpn(0), npages: 3, prot: RW, flags: 0 };
      const starts = runAll(
        machine.kernel,
        [1, 2, 3, 4].map(() => machine.calls.memoryMap.mmap(mm, args)),
      );
      expect([...starts].sort((a, b) => a - b)).toEqual([12, 9, 6, 3].map((below) => MMAP_BASE - below));
      expect(mm.vmas.pages).toBe(12);
    }
  });
});
