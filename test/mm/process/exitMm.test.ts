/** The end of an address space: order of events, and that nothing is left. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, vpn } from '../../../src/base/units.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { IntervalNotifier } from '../../../src/mm/mirror/mmuNotifier.js';
import { forEachPte } from '../../../src/mm/mmCensus.js';
import { makeMachine, makeMm, mapFixed, RecordingNotifier, run, TestCpu, TestDevice } from '../harness.js';

const HIGH = 2 ** 34;

describe('mmput', () => {
  it('of the last user raises RELEASE, then UNMAP, and gives back every page and table', () => {
    const machine = makeMachine({ vramPages: [16] });
    const { kernel, calls } = machine;
    const tables = kernel.tables.freeTables;
    const mm = makeMm(kernel);
    const cpu = new TestCpu(machine, mm);
    const device = new TestDevice(kernel);
    mapFixed(machine, mm, HIGH, 8);
    mapFixed(machine, mm, 4096, 8, Prot.Read);
    for (let i = 0; i < 4; i++) run(kernel, cpu.store(HIGH + i, i));
    run(kernel, cpu.load(4100));
    device.takePage(mm, HIGH + 1);
    const anonVma = mm.vmas.find(vpn(HIGH))?.anonVma?.id ?? 0;
    const mirror = new RecordingNotifier(kernel, mm, HIGH, 2);
    mirror.onEvent = function* (range) {
      if (range.start === 0) expect(mm.pageTable.get(HIGH)).not.toBe(0);
    };
    run(kernel, calls.exit.mmput(mm));
    expect(mirror.take()).toEqual([`RELEASE 0+${TASK_SIZE_PAGES}`, `UNMAP 0+${TASK_SIZE_PAGES}`]);
    expect([mm.users, mm.count]).toEqual([0, 1]);
    expect(mm.vmas.size).toBe(0);
    expect(kernel.ram.usedPages).toBe(1);
    expect(device.vram.usedPages).toBe(0);
    expect(run(kernel, cpu.load(HIGH))).toBe(Errno.EFAULT);
    forEachPte(mm, () => expect.unreachable());
    expect(kernel.anonVmas.get(anonVma)).toBeNull();
    expect(kernel.tables.freeTables).toBe(tables - 1);

    // The notifier still holds the object, and goes in its own time.
    run(kernel, mm.notifiers.remove(mirror.notifier));
    expect(mm.count).toBe(0);
    expect(kernel.tables.freeTables).toBe(tables);
  });

  it('of another user changes nothing', () => {
    const machine = makeMachine();
    const mm = makeMm(machine.kernel);
    mapFixed(machine, mm, HIGH, 8);
    expect(mm.getNotZero()).toBe(true);
    run(machine.kernel, machine.calls.exit.mmput(mm));
    expect([mm.users, mm.vmas.size]).toEqual([1, 1]);
  });

  it('of an empty address space raises RELEASE only', () => {
    const machine = makeMachine();
    const mm = makeMm(machine.kernel);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 2);
    run(machine.kernel, machine.calls.exit.mmput(mm));
    expect(mirror.take()).toEqual([`RELEASE 0+${TASK_SIZE_PAGES}`]);
  });

  it('is the end: nobody can come back, register, or leave once more', () => {
    const machine = makeMachine();
    const mm = makeMm(machine.kernel);
    mm.grab();
    run(machine.kernel, machine.calls.exit.mmput(mm));
    expect(mm.getNotZero()).toBe(false);
    const late = new IntervalNotifier(vpn(HIGH), vpn(HIGH + 1), {
      *invalidate() {
        return true;
      },
    });
    expect(run(machine.kernel, mm.notifiers.insert(late))).toBe(Errno.EINVAL);
    expect(() => run(machine.kernel, machine.calls.exit.mmput(mm))).toThrow(AssertionFailure);
  });
});
