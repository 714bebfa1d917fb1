/** Emptying entries: each kind gives back exactly what it holds, and nothing too early. */

import { describe, expect, it } from 'vitest';
import { vpn } from '../../../src/base/units.js';
import { ThpMode } from '../../../src/mm/kernel.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { makePte, PteBit, PteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type KernelOptions,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  run,
  StepRecorder,
  TestCpu,
  TestDevice,
} from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea } from '../huge/hugeHarness.js';

const HIGH = 2 ** 34;

function setup(options: KernelOptions = {}): { machine: Machine; mm: Mm; cpu: TestCpu } {
  const machine = makeMachine({ vramPages: [16], ...options });
  const mm = makeMm(machine.kernel);
  mapFixed(machine, mm, HIGH, 2048);
  return { machine, mm, cpu: new TestCpu(machine, mm) };
}

function* zap({ calls }: Machine, mm: Mm, start: number, npages: number): Steps<void> {
  yield* mm.mmapLock.read();
  yield* calls.zap.zapRange(mm, vpn(start), vpn(start + npages));
  mm.mmapLock.readUnlock();
}

describe('zapRange', () => {
  it('empties present entries and frees their pages', () => {
    const { machine, mm, cpu } = setup();
    for (const page of [0, 1, 511, 512, 1500]) run(machine.kernel, cpu.store(HIGH + page, page));
    run(machine.kernel, zap(machine, mm, HIGH + 1, 1499));
    for (const page of [1, 511, 512]) expect(pteOf(mm, HIGH + page)).toBe(0);
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(0);
    expect(run(machine.kernel, cpu.load(HIGH + 1500))).toBe(1500);
    expect(machine.kernel.ram.usedPages).toBe(3);
    checkAccounting(machine.kernel, [mm]);
  });

  it('splits once more where another huge page has come meanwhile, of which it was asked to empty a part', () => {
    const machine = makeMachine({ ramPages: HUGE_RAM });
    const { kernel, calls } = machine;
    kernel.thp = ThpMode.Always;
    const mm = makeMm(kernel);
    mapHugeArea(machine, mm);
    const cpu = new TestCpu(machine, mm);
    run(kernel, cpu.store(HUGE_AREA, 1));
    const vma = mm.vmas.find(vpn(HUGE_AREA)) ?? expect.unreachable();
    const right = mm.notifiers.invalidateEnd.bind(mm.notifiers);
    // Others empty the area and fill it again while mirrors are told of the split.
    mm.notifiers.invalidateEnd = function* (range) {
      mm.notifiers.invalidateEnd = right;
      yield* right(range);
      yield* calls.zap.zapRange(mm, vpn(HUGE_AREA), vpn(HUGE_AREA + 512));
      expect(yield* calls.faults.handleMmFault(mm, vma, vpn(HUGE_AREA + 300), true)).toBe(0);
      kernel.memory.words[kernel.memory.wordIndex(ptePfn(pteOf(mm, HUGE_AREA + 300)))] = 77;
    };
    run(kernel, zap(machine, mm, HUGE_AREA, 256));
    expect(pteOf(mm, HUGE_AREA)).toBe(0);
    expect(run(kernel, cpu.load(HUGE_AREA + 300))).toBe(77);
    checkAccounting(kernel, [mm]);
  });

  it('takes nothing from the zero page, but flushes it out of the TLBs', () => {
    const { machine, mm, cpu } = setup();
    run(machine.kernel, cpu.load(HIGH));
    const steps = new StepRecorder(machine.kernel);
    run(machine.kernel, zap(machine, mm, HIGH, 1));
    expect(steps.take('zap')).toEqual(['zap.cleared', 'zap.flushed']);
    expect(machine.kernel.folios.refcount(machine.kernel.zeroPage)).toBe(1);
    // Another thread's store to the page must be seen, not the zeros of before.
    run(machine.kernel, new TestCpu(machine, mm, 1).store(HIGH, 6));
    expect(run(machine.kernel, cpu.load(HIGH))).toBe(6);
  });

  it('drops device-private pages at once, without a TLB flush', () => {
    const { machine, mm, cpu } = setup();
    const device = new TestDevice(machine.kernel);
    run(machine.kernel, cpu.store(HIGH, 1));
    device.takePage(mm, HIGH);
    const steps = new StepRecorder(machine.kernel);
    run(machine.kernel, zap(machine, mm, HIGH, 4));
    expect(steps.take('zap')).toEqual(['zap.cleared']);
    expect(device.vram.usedPages).toBe(0);
    checkAccounting(machine.kernel, [mm]);
  });

  it('forgets migration entries, which hold no reference', () => {
    const { machine, mm, cpu } = setup();
    run(machine.kernel, cpu.store(HIGH, 1));
    const { folios } = machine.kernel;
    const pfn = ptePfn(pteOf(mm, HIGH));
    mm.pageTable.write(mm.pageTable.slot(HIGH), makePte(PteKind.Migration, pfn, PteBit.Write));
    folios.removeRmap(pfn);
    run(machine.kernel, zap(machine, mm, HIGH, 1));
    expect(pteOf(mm, HIGH)).toBe(0);
    expect(folios.refcount(pfn)).toBe(1);
    folios.put(pfn);
  });

  it('keeps a page that somebody else references', () => {
    const { machine, mm, cpu } = setup();
    run(machine.kernel, cpu.store(HIGH, 21));
    const { folios, memory } = machine.kernel;
    const pfn = ptePfn(pteOf(mm, HIGH));
    folios.get(pfn);
    run(machine.kernel, zap(machine, mm, HIGH, 1));
    expect([folios.refcount(pfn), folios.mapcount(pfn)]).toEqual([1, 0]);
    expect(memory.words[memory.wordIndex(pfn)]).toBe(21);
    folios.put(pfn);
    checkAccounting(machine.kernel, [mm]);
  });

  it('holds every reference until the TLBs are flushed', () => {
    const { machine, mm, cpu } = setup();
    for (let page = 0; page < 10; page++) run(machine.kernel, cpu.store(HIGH + page, page));
    const used: number[] = [];
    machine.kernel.sched.observer = {
      onStep: () => {
        used.push(machine.kernel.ram.usedPages);
      },
    };
    run(machine.kernel, zap(machine, mm, HIGH, 10));
    expect(Math.min(...used)).toBe(11);
    expect(machine.kernel.ram.usedPages).toBe(1);
  });

  it('handles as many entries in one step as the run allows', () => {
    for (const [pagesPerStep, expected] of [
      [1, 10],
      [4, 3],
      [512, 1],
    ]) {
      const { machine, mm, cpu } = setup({ pagesPerStep });
      for (let page = 0; page < 10; page++) run(machine.kernel, cpu.store(HIGH + 3 * page, page));
      const steps = new StepRecorder(machine.kernel);
      run(machine.kernel, zap(machine, mm, HIGH, 28));
      expect(steps.take('zap').filter((name) => name === 'zap.cleared')).toHaveLength(expected);
    }
  });

  it('flushes in between when more pages are waiting than it can remember', () => {
    const { machine, mm, cpu } = setup({ ramPages: 5000, pagesPerStep: 512 });
    mapFixed(machine, mm, HIGH, 4608);
    for (let page = 0; page < 4608; page++) run(machine.kernel, cpu.store(HIGH + page, page));
    const steps = new StepRecorder(machine.kernel);
    run(machine.kernel, zap(machine, mm, HIGH, 4608));
    expect(steps.take('zap').filter((name) => name === 'zap.flushed')).toHaveLength(2);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('freeTables', () => {
  it('gives back tables that lie wholly inside and are empty', () => {
    const { machine, mm, cpu } = setup();
    run(machine.kernel, cpu.store(HIGH, 1));
    run(machine.kernel, cpu.store(HIGH + 512, 1));
    run(machine.kernel, cpu.store(HIGH + 1024, 1));
    const before = machine.kernel.tables.freeTables;
    const free = function* (): Steps<void> {
      yield* zap(machine, mm, HIGH, 1024);
      yield* mm.mmapLock.write();
      machine.calls.zap.freeTables(mm, vpn(HIGH), vpn(HIGH + 1025));
      mm.mmapLock.writeUnlock();
    };
    run(machine.kernel, free());
    expect(machine.kernel.tables.freeTables).toBe(before + 2);
    expect(run(machine.kernel, cpu.load(HIGH + 1024))).toBe(1);
  });
});
