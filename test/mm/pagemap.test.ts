/** pagemap and soft-dirty: what each state of a page reads as, and that writes are noticed after a clearing. */

import { describe, expect, it } from 'vitest';
import { vpn } from '../../src/base/units.js';
import type { PagemapEntry } from '../../src/mm/pagemap.js';
import {
  checkAccounting,
  makeMachine,
  makeMm,
  mapFixed,
  RecordingNotifier,
  run,
  TestCpu,
  TestDevice,
} from './harness.js';

const HIGH = 2 ** 34;

function setup() {
  const machine = makeMachine({ vramPages: [16] });
  const mm = makeMm(machine.kernel);
  const cpu = new TestCpu(machine, mm);
  mapFixed(machine, mm, HIGH, 4);
  for (let i = 0; i < 3; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
  const read = (i: number): PagemapEntry => machine.calls.pagemap.read(mm, vpn(HIGH + i));
  return { machine, mm, cpu, read };
}

describe('pagemap', () => {
  it('tells present, swapped and untouched pages apart; one on a device counts as swapped', () => {
    const { machine, mm, cpu, read } = setup();
    run(machine.kernel, machine.calls.reclaim.shrinkMm(mm));
    run(machine.kernel, cpu.load(HIGH));
    run(machine.kernel, cpu.load(HIGH + 1));
    new TestDevice(machine.kernel).takePage(mm, HIGH + 1);
    const states = [0, 1, 2, 3].map((i) => [read(i).present, read(i).swapped]);
    expect(states).toEqual([
      [true, false],
      [false, true],
      [false, true],
      [false, false],
    ]);
    expect([0, 1].map((i) => [read(i).exclusive, read(i).file])).toEqual([
      [true, false],
      [false, false],
    ]);
  });

  it('forgets soft-dirty inside one SOFT_DIRTY event over everything, and notices each write from then on', () => {
    const { machine, mm, cpu, read } = setup();
    expect([0, 1, 2].map((i) => read(i).softDirty)).toEqual([true, true, true]);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 4);
    run(machine.kernel, machine.calls.pagemap.clearSoftDirty(mm));
    expect(mirror.take()).toEqual([`SOFT_DIRTY 0+${2 ** 35}`]);
    run(machine.kernel, machine.calls.reclaim.shrinkMm(mm));
    for (let i = 0; i < 3; i++) run(machine.kernel, cpu.load(HIGH + i));
    run(machine.kernel, cpu.store(HIGH + 1, 5));
    expect([0, 1, 2].map((i) => read(i).softDirty)).toEqual([false, true, false]);
    checkAccounting(machine.kernel, [mm]);
  });
});
