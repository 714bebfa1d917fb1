/** The device model line by line: what each command of a mirror device returns, counts and leaves behind. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { vpn } from '../../../src/base/units.js';
import { MirrorFlag } from '../../../src/driver/mirror/mirrorContext.js';
import { MirrorProt } from '../../../src/driver/mirror/mirrorSnapshot.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { NotifyEvent, notifierRange } from '../../../src/mm/mirror/mmuNotifier.js';
import { mapFixed, run, StepRecorder, TestCpu } from '../../mm/harness.js';
import { BUF, MirrorMachine, type MirrorMachineOptions } from './harness.js';

const { None, Read, Write, Zero, Error: Unmapped, DevPrivateLocal } = MirrorProt;

function machineWith(npages: number, prot?: number, options?: MirrorMachineOptions): MirrorMachine {
  const m = new MirrorMachine(options);
  mapFixed(m.machine, m.mm, BUF, npages, prot);
  return m;
}

function munmap(m: MirrorMachine, off: number, npages: number): void {
  run(m.machine.kernel, m.machine.calls.memoryMap.munmap(m.mm, vpn(BUF + off), npages));
}

function mprotect(m: MirrorMachine, off: number, npages: number, prot: number): void {
  run(m.machine.kernel, m.machine.calls.mprotect.mprotect(m.mm, vpn(BUF + off), npages, prot));
}

describe('arguments', () => {
  it.each([0, -1, 0.5])('refuses a span of %s pages', (npages) => {
    const m = machineWith(4);
    expect(m.read(0, 0, npages)).toBe('-EINVAL');
    expect(m.write(0, 0, npages, 1)).toBe('-EINVAL');
    expect(m.toSystem(0, 0, npages)).toBe('-EINVAL');
    expect(m.toDevice(0, 0, npages)).toBe('-EINVAL');
  });

  it('refuses a span that wraps, and finds nothing beyond user memory', () => {
    const m = machineWith(4);
    expect(m.read(0, 2 ** 52 - BUF - 1, 2)).toBe('-EINVAL');
    expect(m.read(0, 2 ** 52 - BUF - 2, 1)).toBe('-EFAULT');
    expect(m.toDevice(0, 2 ** 52 - BUF - 2, 1)).toBe('-EINVAL');
  });
});

describe('read', () => {
  it('counts one fault for a first access, however many pages and pieces', () => {
    const m = machineWith(200);
    m.store(0, 200, 7);
    expect(m.read(0, 0, 200)).toEqual(Array.from({ length: 200 }, (_, i) => 7 + i));
    expect(m.last).toEqual({ errno: 0, cpages: 200, faults: 1 });
    m.read(0, 0, 200);
    expect(m.last.faults).toBe(0);
    m.check();
  });

  it('faults untouched pages in as zeros, and the rest of the span from the first missing page on', () => {
    const m = machineWith(8);
    m.read(0, 2, 2);
    expect(m.read(0, 0, 8)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(m.last.faults).toBe(1);
    expect(m.snapshot(0, 0, 8)).toEqual(Array(8).fill(Zero | Read));
    m.check();
  });

  it('reports -EFAULT without an area and without access', () => {
    const m = machineWith(4, Prot.None);
    expect(m.read(0, 0, 4)).toBe('-EFAULT');
    munmap(m, 0, 4);
    expect(m.read(0, 0, 4)).toBe('-EFAULT');
    expect(m.last).toMatchObject({ cpages: 0, faults: 0 });
  });

  it('leaves the pieces before a failing one in the table', () => {
    const m = machineWith(65);
    expect(m.read(0, 0, 66)).toBe('-EFAULT');
    m.read(0, 0, 64);
    expect(m.last.faults).toBe(0);
  });
});

describe('write', () => {
  it('reaches the pages that the CPU sees', () => {
    const m = machineWith(4);
    m.store(0, 2, 1);
    expect(m.write(0, 0, 4, 50)).toBe('4/1');
    expect(m.load(0, 4)).toEqual([50, 51, 52, 53]);
    expect(m.snapshot(0, 0, 4)).toEqual(Array(4).fill(Write));
    m.check();
  });

  it('faults again where the device may only read', () => {
    const m = machineWith(4);
    m.read(0, 0, 4);
    expect(m.write(0, 0, 4, 1)).toBe('4/1');
    expect(m.write(0, 0, 4, 2)).toBe('4/0');
  });

  it('reports -EPERM for a read-only area', () => {
    const m = machineWith(4, Prot.Read);
    expect(m.write(0, 0, 4, 1)).toBe('-EPERM');
  });

  it('leaves what comes before the failing page written', () => {
    const m = machineWith(4);
    m.write(0, 0, 2, 10);
    mprotect(m, 2, 2, Prot.Read);
    m.write(0, 0, 2, 10);
    expect(m.write(0, 0, 4, 20)).toBe('-EPERM');
    expect(m.load(0, 2)).toEqual([20, 21]);
  });

  it('is refused on own device pages that are read-only, at every try', () => {
    const m = machineWith(4);
    m.toDevice(0, 0, 4);
    mprotect(m, 2, 2, Prot.Read);
    expect(m.snapshot(0, 0, 4)).toEqual([
      DevPrivateLocal | Write,
      DevPrivateLocal | Write,
      DevPrivateLocal | Read,
      DevPrivateLocal | Read,
    ]);
    expect(m.write(0, 0, 4, 9)).toBe('-EFAULT');
    expect(m.write(0, 0, 4, 9)).toBe('-EFAULT');
    expect(m.read(0, 0, 4)).toEqual([9, 10, 0, 0]);
    m.check();
  });
});

describe('invalidation', () => {
  it('takes entries out before their pages go', () => {
    const m = machineWith(4);
    m.write(0, 0, 4, 1);
    munmap(m, 1, 1);
    expect(m.read(0, 0, 4)).toBe('-EFAULT');
    expect([...Array(4).keys()].map((i) => m.contexts[0].table.pfnAt(vpn(BUF + i)) !== 0)).toEqual([
      true,
      false,
      false,
      true,
    ]);
    m.check();
  });

  it('gives up on the mutex instead of waiting where it may not sleep', () => {
    const m = machineWith(1);
    const [context] = m.contexts;
    const range = { ...notifierRange(NotifyEvent.Clear, vpn(BUF), vpn(BUF + 1)), blockable: false };
    function* held(): Generator<never, boolean, void> {
      const { mutex, notifier } = context;
      if (!mutex.tryLock()) return true;
      const callback = context.invalidate(notifier, range, 3).next();
      mutex.unlock();
      return callback.done === true && callback.value;
    }
    expect(run(m.machine.kernel, held())).toBe(false);
  });

  it('ignores its own migrations only', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.read(0, 0, 4);
    m.read(1, 0, 4);
    expect(m.toDevice(1, 0, 4)).toEqual([1, 2, 3, 4]);
    expect(m.contexts[0].table.size).toBe(0);
    expect(m.contexts[1].table.size).toBe(4);
    m.check();
  });
});

describe('migration to the device', () => {
  it('moves pages, holes and zero pages, and reads them back', () => {
    const m = machineWith(200);
    m.store(0, 100, 5);
    m.load(100, 50);
    expect(m.toDevice(0, 0, 200)).toEqual([
      ...Array.from({ length: 100 }, (_, i) => 5 + i),
      ...Array(100).fill(0),
    ]);
    expect(m.last).toEqual({ errno: 0, cpages: 200, faults: 0 });
    expect(m.snapshot(0, 0, 200)).toEqual(Array(200).fill(DevPrivateLocal | Write));
    expect(m.write(0, 0, 200, 70)).toBe('200/0');
    expect(m.driver.devices[0].memory.usedPages).toBe(200);
    m.check();
  });

  it('is read-only for the device where the area is', () => {
    const m = machineWith(2, Prot.Read);
    expect(m.toDevice(0, 0, 2)).toEqual([0, 0]);
    expect(m.snapshot(0, 0, 2)).toEqual(Array(2).fill(DevPrivateLocal | Read));
    expect(m.write(0, 0, 2, 1)).toBe('-EFAULT');
    m.check();
  });

  it('goes from area to area, and ends with -EINVAL at a hole or where nothing may be read', () => {
    const m = machineWith(12);
    mprotect(m, 4, 4, Prot.Read);
    munmap(m, 10, 1);
    expect(m.toDevice(0, 0, 10)).toEqual(Array(10).fill(0));
    expect(m.toDevice(0, 0, 12)).toBe('-EINVAL');
    mprotect(m, 11, 1, Prot.None);
    expect(m.toDevice(0, 11, 1)).toBe('-EINVAL');
    m.check();
  });

  it('keeps what came before the failing area on the device', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    munmap(m, 2, 1);
    expect(m.toDevice(0, 0, 4)).toBe('-EINVAL');
    expect(m.snapshot(0, 0, 4)).toEqual([DevPrivateLocal | Write, DevPrivateLocal | Write, Unmapped, Write]);
  });

  it('leaves the pages of another device there, and says -ENOENT', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.toDevice(0, 0, 2);
    expect(m.toDevice(1, 0, 4)).toBe('-ENOENT');
    expect(m.snapshot(1, 0, 4)).toEqual([None, None, DevPrivateLocal | Write, DevPrivateLocal | Write]);
    m.check();
  });

  it('is happy with what it already has', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.toDevice(0, 0, 4);
    expect(m.toDevice(0, 0, 4)).toEqual([1, 2, 3, 4]);
  });

  it('leaves pages where the memory of the device does not suffice', () => {
    const m = machineWith(200, undefined, { vramPages: [128], chunkPages: 64 });
    expect(m.toDevice(0, 0, 200)).toBe('-ENOENT');
    expect(m.driver.devices[0].memory.usedPages).toBe(128);
    m.check();
  });
});

describe('migration home', () => {
  it('counts pages that moved, not holes nor what was home already', () => {
    const m = machineWith(8);
    m.store(0, 4, 1);
    m.toDevice(0, 1, 2);
    expect(m.toSystem(0, 0, 8)).toBe('2/0');
    expect(m.toSystem(0, 0, 8)).toBe('0/0');
    expect(m.snapshot(0, 0, 8)).toEqual([Write, Write, Write, Write, None, None, None, None]);
    expect(m.load(0, 8)).toEqual([1, 2, 3, 4, 0, 0, 0, 0]);
    m.check();
  });

  it('leaves the pages of another device', () => {
    const m = machineWith(4);
    m.toDevice(0, 0, 4);
    expect(m.toSystem(1, 0, 4)).toBe('0/0');
    expect(m.driver.devices[0].memory.usedPages).toBe(4);
  });

  it('takes the entries out of the device page table', () => {
    const m = machineWith(4);
    m.toDevice(0, 0, 4);
    m.toSystem(0, 1, 2);
    expect(m.contexts[0].table.size).toBe(2);
    expect(m.toSystem(0, 0, 5)).toBe('-EINVAL');
  });
});

describe('CPU fault', () => {
  it('brings the one page home and tells the device table', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.toDevice(0, 0, 4);
    m.write(0, 1, 1, 77);
    expect(m.load(1)).toEqual([77]);
    expect(m.snapshot(0, 0, 4)).toEqual([
      DevPrivateLocal | Write,
      Write,
      DevPrivateLocal | Write,
      DevPrivateLocal | Write,
    ]);
    expect(m.read(0, 0, 4)).toEqual([1, 77, 3, 4]);
    expect(m.last.faults).toBe(1);
    m.check();
  });

  it('serves the fault of another device, which then maps the page in RAM', () => {
    const m = machineWith(4);
    m.toDevice(0, 0, 4);
    m.write(0, 0, 4, 1);
    expect(m.read(1, 0, 4)).toEqual([1, 2, 3, 4]);
    expect(m.last.faults).toBe(1);
    expect(m.snapshot(0, 0, 4)).toEqual(Array(4).fill(Write));
    m.check();
  });

  it('is an error of the access when no page of RAM is left, and the page stays', () => {
    const m = machineWith(1);
    m.store(0, 1, 3);
    m.toDevice(0, 0, 1);
    m.driver.setFlags(m.contexts[0], MirrorFlag.FailAlloc);
    expect(m.load(0)).toEqual([-14]);
    expect(m.load(0)).toEqual([3]);
    m.check();
  });
});

describe('snapshot', () => {
  it('changes nothing and says what is there', () => {
    const m = machineWith(6);
    m.load(1);
    m.store(2, 1, 1);
    m.toDevice(0, 3, 1);
    m.toDevice(1, 4, 1);
    munmap(m, 5, 1);
    expect(m.snapshot(0, 0, 6)).toEqual([None, Zero | Read, Write, DevPrivateLocal | Write, None, Unmapped]);
    expect(m.snapshot(0, 0, 6)).toEqual([None, Zero | Read, Write, DevPrivateLocal | Write, None, Unmapped]);
    expect(m.last.cpages).toBe(6);
    expect(m.mm.notifiers.intervals).toBe(2);
    m.check();
  });

  it('looks at areas without access as errors', () => {
    const m = machineWith(2, Prot.None);
    expect(m.snapshot(0, 0, 2)).toEqual([Unmapped, Unmapped]);
  });
});

describe('eviction', () => {
  it('moves every page home; later pages come from a new chunk', () => {
    const m = machineWith(8);
    m.store(0, 8, 1);
    m.toDevice(0, 0, 8);
    const [device] = m.driver.devices;
    const [before] = device.memory.chunks;
    run(m.machine.kernel, device.evictAll());
    expect(device.memory.chunks).toEqual([]);
    expect(m.snapshot(0, 0, 8)).toEqual(Array(8).fill(Write));
    expect(m.read(0, 0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(m.toDevice(0, 0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(device.memory.chunks).not.toContain(before);
    expect(device.memory.chunksAdded).toBe(2);
    m.check();
  });

  it('comes with the end of any context of the device', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.toDevice(0, 0, 4);
    const other = m.open(m.driver.devices[0], m.mm);
    run(m.machine.kernel, m.driver.devices[0].close(other));
    expect(m.snapshot(0, 0, 4)).toEqual(Array(4).fill(Write));
    expect(m.mm.notifiers.intervals).toBe(2);
    m.check();
  });
});

describe('allocation failure', () => {
  it('hits the next device page, once', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.driver.setFlags(m.contexts[0], MirrorFlag.FailAlloc);
    expect(m.toDevice(0, 0, 4)).toBe('-ENOENT');
    expect(m.snapshot(0, 0, 4)).toEqual([Write, ...Array(3).fill(DevPrivateLocal | Write)]);
    expect(m.toDevice(0, 0, 4)).toEqual([1, 2, 3, 4]);
    m.check();
  });

  it('hits the next page of RAM, once', () => {
    const m = machineWith(4);
    m.toDevice(0, 0, 4);
    m.driver.setFlags(m.contexts[0], MirrorFlag.FailAlloc);
    expect(m.toSystem(0, 0, 4)).toBe('3/0');
    expect(m.toSystem(0, 0, 4)).toBe('1/0');
    m.check();
  });
});

describe('exclusive access', () => {
  it('reads the pages back, and lasts until the CPU wants one of them', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    expect(m.exclusive(0, 0, 4)).toEqual([1, 2, 3, 4]);
    expect(m.last).toEqual({ errno: 0, cpages: 4, faults: 0 });
    expect(m.checkExclusive(0, 0, 4)).toBe('-EPERM');
    m.checkRules();
    expect(m.load(0, 4)).toEqual([1, 2, 3, 4]);
    expect(m.checkExclusive(0, 0, 4)).toBe('0/0');
    m.check();
  });

  it('is not enough for plain stores', () => {
    const m = machineWith(2);
    m.exclusive(0, 0, 2);
    expect(m.write(0, 0, 2, 5)).toBe('2/1');
    expect(m.checkExclusive(0, 0, 2)).toBe('0/0');
    expect(m.load(0, 2)).toEqual([5, 6]);
  });

  it('brings device pages home', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.toDevice(0, 0, 4);
    expect(m.exclusive(1, 0, 4)).toEqual([1, 2, 3, 4]);
    expect(m.driver.devices[0].memory.usedPages).toBe(0);
    m.checkRules();
  });

  it.each([
    ['an area that may not be written', Prot.Read],
    ['an area without access', Prot.None],
  ])('is refused with -EBUSY in %s', (_name, prot) => {
    const m = machineWith(4, prot);
    expect(m.exclusive(0, 0, 4)).toBe('-EBUSY');
  });

  it('is refused with -EBUSY beyond the area, and leaves no page of that piece in the table', () => {
    const m = machineWith(4);
    expect(m.exclusive(0, 0, 5)).toBe('-EBUSY');
    expect(m.checkExclusive(0, 0, 5)).toBe('0/0');
  });
});

describe('two contexts of one device and process', () => {
  it('see the same page after one of them has moved it', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.read(0, 0, 4);
    const [device] = m.driver.devices;
    const other = m.open(device, m.mm);
    run(m.machine.kernel, m.driver.migrateToDevice(other, vpn(BUF), 4, { take: () => {} }));
    m.check();
    expect(m.read(0, 0, 4)).toEqual([1, 2, 3, 4]);
    expect(m.last.faults).toBe(0);
    m.load(0, 4);
    m.check();
    expect(m.read(0, 0, 4)).toEqual([1, 2, 3, 4]);
  });
});

describe('a forked process', () => {
  it('shares device pages, which the parent may then only read', () => {
    const m = machineWith(4);
    m.store(0, 4, 1);
    m.toDevice(0, 0, 4);
    const { kernel, calls } = m.machine;
    const child = run(kernel, calls.fork.fork(m.mm, 2));
    if (typeof child === 'number') throw new AssertionFailure('fork failed');
    expect(m.snapshot(0, 0, 4)).toEqual(Array(4).fill(DevPrivateLocal | Read));
    expect(m.write(0, 0, 4, 9)).toBe('-EFAULT');
    expect(m.read(0, 0, 4)).toEqual([1, 2, 3, 4]);
    m.check([m.mm, child]);
    const cpu = new TestCpu(m.machine, child);
    expect(run(kernel, cpu.store(BUF, 70))).toBe(0);
    expect(m.load(0)).toEqual([1]);
    expect(run(kernel, cpu.load(BUF))).toBe(70);
    m.check([m.mm, child]);
  });

  it('takes all pages of a device home when it closes its own context', () => {
    const m = machineWith(4);
    m.toDevice(0, 0, 4);
    const { kernel, calls } = m.machine;
    const child = run(kernel, calls.fork.fork(m.mm, 2));
    if (typeof child === 'number') throw new AssertionFailure('fork failed');
    const [device] = m.driver.devices;
    const context = m.open(device, child);
    run(kernel, calls.exit.mmput(child));
    run(kernel, device.close(context));
    expect(m.snapshot(0, 0, 4)).toEqual(Array(4).fill(Read));
    m.check();
  });
});

describe('steps', () => {
  it('show the commands', () => {
    const m = machineWith(4);
    const recorder = new StepRecorder(m.machine.kernel);
    m.write(0, 0, 4, 1);
    expect(recorder.take('mirror')).toEqual(['mirror.command', 'mirror.faulted', 'mirror.commandDone']);
    m.toDevice(0, 0, 4);
    // The other device hears of it.
    expect(recorder.take('mirror')).toEqual([
      'mirror.command',
      'mirror.invalidated',
      'mirror.copied',
      'mirror.commandDone',
    ]);
    recorder.stop();
  });
});
