/** mremap: growing, shrinking and moving; what moves along, what mirrors are told, and every way to refuse. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, vpn } from '../../../src/base/units.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { MMAP_BASE, MMAP_MIN } from '../../../src/mm/area/unmappedArea.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { makePte, PteBit, PteKind, pteKind, ptePfn, pteWith } from '../../../src/mm/table/pte.js';
import {
  areasOf,
  checkAccounting,
  type KernelOptions,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  RecordingNotifier,
  run,
  TestCpu,
  TestDevice,
} from '../harness.js';

const HIGH = 2 ** 34;
const TO = HIGH + 1000;
const { MayMove, Fixed, DontUnmap } = MremapFlag;

interface Setup {
  machine: Machine;
  mm: Mm;
  cpu: TestCpu;
  remap: (from: number, fromPages: number, toPages: number, flags?: number, target?: number) => number;
  load: (page: number) => number;
  store: (page: number, value: number) => number;
}

function setup(options: KernelOptions = {}): Setup {
  const machine = makeMachine({ vramPages: [16], ...options });
  const mm = makeMm(machine.kernel);
  const cpu = new TestCpu(machine, mm);
  mapFixed(machine, mm, HIGH, 8);
  return {
    machine,
    mm,
    cpu,
    remap: (from, fromPages, toPages, flags = 0, target = 0) => {
      const args = { from: vpn(from), fromPages, toPages, flags, target: vpn(target) };
      return run(machine.kernel, machine.calls.mremap.mremap(mm, args));
    },
    load: (page) => run(machine.kernel, cpu.load(page)),
    store: (page, value) => run(machine.kernel, cpu.store(page, value)),
  };
}

describe('mremap in place', () => {
  it('does nothing when the size stays', () => {
    const { machine, mm, remap, store } = setup();
    store(HIGH, 1);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    expect(remap(HIGH + 2, 4, 4)).toBe(HIGH + 2);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`]);
    expect(mirror.take()).toEqual([]);
  });

  it('shrinks by unmapping the tail, even across other areas', () => {
    const { machine, mm, remap, store, load } = setup();
    mapFixed(machine, mm, HIGH + 8, 4, Prot.Read);
    for (let i = 0; i < 8; i++) store(HIGH + i, 10 + i);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 16);
    expect(remap(HIGH, 10, 3)).toBe(HIGH);
    expect(mirror.take()).toEqual([`UNMAP ${HIGH + 3}+7`]);
    expect(areasOf(mm)).toEqual([`${HIGH}+3 rw-`, `${HIGH + 10}+2 r--`]);
    expect([load(HIGH + 2), load(HIGH + 3)]).toEqual([12, Errno.EFAULT]);
    checkAccounting(machine.kernel, [mm]);
  });

  it.each([
    ['joining an area that it reaches, while it has no pages', false, [`${HIGH}+16 rw-`]],
    ['next to an area without pages, when it has some', true, [`${HIGH}+12 rw-`, `${HIGH + 12}+4 rw-`]],
  ])('grows into free space without an event, %s', (_how, written, areas) => {
    const { machine, mm, remap, store, load } = setup();
    mapFixed(machine, mm, HIGH + 12, 4);
    if (written) store(HIGH + 7, 5);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 16);
    expect(remap(HIGH + 4, 4, 6)).toBe(HIGH + 4);
    expect(areasOf(mm)).toEqual([`${HIGH}+10 rw-`, `${HIGH + 12}+4 rw-`]);
    expect(remap(HIGH, 10, 12)).toBe(HIGH);
    expect(areasOf(mm)).toEqual(areas);
    expect(mirror.take()).toEqual([]);
    expect([load(HIGH + 7), store(HIGH + 11, 1)]).toEqual([written ? 5 : 0, Errno.OK]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('does not grow over a neighbour, from the middle of an area, or out of the address space', () => {
    const { machine, mm, remap } = setup();
    mapFixed(machine, mm, HIGH + 9, 1, Prot.Read);
    mapFixed(machine, mm, TASK_SIZE_PAGES - 2, 2);
    expect(remap(HIGH, 8, 10)).toBe(Errno.ENOMEM);
    expect(remap(HIGH, 4, 5)).toBe(Errno.ENOMEM);
    expect(remap(TASK_SIZE_PAGES - 2, 2, 3)).toBe(Errno.ENOMEM);
    expect(mm.vmas.pages).toBe(11);
  });
});

describe('mremap that moves', () => {
  it('takes the content along and raises UNMAP over the old range only', () => {
    const { machine, mm, remap, store, load } = setup();
    mapFixed(machine, mm, TO, 8, Prot.Read);
    for (let i = 0; i < 4; i++) store(HIGH + 2 + i, 20 + i);
    load(HIGH + 6);
    const old = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    const target = new RecordingNotifier(machine.kernel, mm, TO + 1, 4);
    expect(remap(HIGH + 2, 5, 5, MayMove | Fixed, TO + 1)).toBe(TO + 1);
    // The target's own UNMAP is for what was mapped there before.
    expect(target.take()).toEqual([`UNMAP ${TO + 1}+5`]);
    expect(old.take()).toEqual([`UNMAP ${HIGH + 2}+5`, `UNMAP ${HIGH + 2}+5`]);
    expect([0, 1, 2, 3, 4].map((i) => load(TO + 1 + i))).toEqual([20, 21, 22, 23, 0]);
    expect(load(HIGH + 2)).toBe(Errno.EFAULT);
    expect(areasOf(mm)).toEqual([
      `${HIGH}+2 rw-`,
      `${HIGH + 7}+1 rw-`,
      `${TO}+1 r--`,
      `${TO + 1}+5 rw-`,
      `${TO + 6}+2 r--`,
    ]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('tells mirrors before an entry moves, and has moved every entry when the event ends', () => {
    const { machine, mm, remap, store } = setup();
    for (let i = 0; i < 8; i++) store(HIGH + i, i);
    const old = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    const filled: boolean[] = [];
    old.onEvent = function* () {
      filled.push(mm.pageTable.get(HIGH + 7) !== 0);
    };
    remap(HIGH, 8, 8, MayMove | Fixed, TO);
    expect(filled).toEqual([true, false]);
  });

  it('moves to the highest free place when it cannot grow where it is', () => {
    const { machine, mm, remap, store, load } = setup();
    mapFixed(machine, mm, HIGH + 8, 1, Prot.Read);
    store(HIGH + 1, 7);
    expect(remap(HIGH, 8, 10, MayMove)).toBe(MMAP_BASE - 10);
    expect([load(MMAP_BASE - 9), load(MMAP_BASE - 1)]).toEqual([7, 0]);
    expect(areasOf(mm)).toEqual([`${HIGH + 8}+1 r--`, `${MMAP_BASE - 10}+10 rw-`]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('moves a grown or shrunk part to a fixed target', () => {
    const { machine, mm, remap, store, load } = setup();
    for (let i = 0; i < 8; i++) store(HIGH + i, 30 + i);
    expect(remap(HIGH, 4, 6, MayMove | Fixed, TO)).toBe(TO);
    expect([load(TO + 3), load(TO + 5)]).toEqual([33, 0]);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    expect(remap(HIGH + 4, 4, 1, MayMove | Fixed, TO + 10)).toBe(TO + 10);
    expect(mirror.take()).toEqual([`UNMAP ${HIGH + 5}+3`, `UNMAP ${HIGH + 4}+1`, `UNMAP ${HIGH + 4}+1`]);
    expect(load(TO + 10)).toBe(34);
    expect(areasOf(mm)).toEqual([`${TO}+6 rw-`, `${TO + 10}+1 rw-`]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('keeps the reverse map right, also after a second move', () => {
    const { machine, mm, remap, store, load } = setup();
    store(HIGH + 2, 1);
    remap(HIGH, 8, 8, MayMove | Fixed, TO);
    expect(mm.vmas.find(vpn(TO))?.pgoff).toBe(HIGH);
    remap(TO + 2, 2, 2, MayMove | Fixed, TO + 2000);
    expect(mm.vmas.find(vpn(TO + 2000))?.pgoff).toBe(HIGH + 2);
    checkAccounting(machine.kernel, [mm]);
    store(TO + 2001, 9);
    expect(load(TO + 2000)).toBe(1);
    checkAccounting(machine.kernel, [mm]);
  });

  it('gives an untouched area offsets of its new place, so that it merges there', () => {
    const { machine, mm, remap } = setup();
    mapFixed(machine, mm, TO - 4, 4);
    remap(HIGH, 8, 8, MayMove | Fixed, TO);
    expect(areasOf(mm)).toEqual([`${TO - 4}+12 rw-`]);
  });

  it('joins its old neighbours again when it comes back', () => {
    const { mm, remap, store, machine, load } = setup();
    for (let i = 0; i < 8; i++) store(HIGH + i, i);
    remap(HIGH + 3, 2, 2, MayMove | Fixed, TO);
    remap(TO, 2, 2, MayMove | Fixed, HIGH + 3);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`]);
    expect(load(HIGH + 4)).toBe(4);
    checkAccounting(machine.kernel, [mm]);
  });

  it('moves device-private and migration entries as they are, but marks them soft-dirty', () => {
    const { machine, mm, remap, store, load } = setup();
    const device = new TestDevice(machine.kernel);
    for (let i = 0; i < 3; i++) store(HIGH + i, 40 + i);
    const onDevice = device.takePage(mm, HIGH);
    const present = pteOf(mm, HIGH + 1);
    const entry = makePte(PteKind.Migration, ptePfn(present), PteBit.Write);
    mm.pageTable.write(mm.pageTable.slot(HIGH + 1), entry);
    remap(HIGH, 3, 3, MayMove | Fixed, TO);
    expect([pteKind(pteOf(mm, TO)), ptePfn(pteOf(mm, TO))]).toEqual([PteKind.DevicePrivate, onDevice]);
    expect(pteOf(mm, TO + 1)).toBe(pteWith(entry, PteBit.SoftDirty));
    mm.pageTable.write(mm.pageTable.slot(TO + 1), present);
    expect([load(TO), load(TO + 1), load(TO + 2)]).toEqual([40, 41, 42]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('leaves no CPU thread with the old translation', () => {
    const { machine, mm, remap, store } = setup();
    const other = new TestCpu(machine, mm, 1);
    store(HIGH, 1);
    run(machine.kernel, other.load(HIGH));
    remap(HIGH, 8, 8, MayMove | Fixed, TO);
    expect(run(machine.kernel, other.store(HIGH, 2))).toBe(Errno.EFAULT);
    expect(run(machine.kernel, other.load(TO))).toBe(1);
  });

  it('across page-table boundaries that differ on the two sides keeps every page', () => {
    const { machine, mm, remap, store, load } = setup({ ramPages: 1200, pagesPerStep: 512 });
    mapFixed(machine, mm, HIGH, 1100);
    for (let i = 0; i < 1100; i += 7) store(HIGH + i, i + 1);
    // Tables at both ends of the target exist already, and are neighbours in the arena.
    mapFixed(machine, mm, HIGH + 3072, 1536, Prot.Read | Prot.Write);
    store(HIGH + 3080, 1);
    store(HIGH + 4500, 2);
    expect(remap(HIGH, 1100, 1100, MayMove | Fixed, HIGH + 3333)).toBe(HIGH + 3333);
    for (let i = 0; i < 1100; i += 7) expect(load(HIGH + 3333 + i)).toBe(i + 1);
    expect([load(HIGH + 3080), load(HIGH + 4500)]).toEqual([1, 2]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('moves everything back when page tables run out, at once or half-way', () => {
    for (const tables of [5, 8]) {
      const { machine, mm, remap, store, load } = setup({ tables });
      mapFixed(machine, mm, HIGH, 1024);
      store(HIGH + 510, 1);
      store(HIGH + 512, 2);
      const before = areasOf(mm);
      expect(remap(HIGH, 1024, 1024, MayMove | Fixed, 2 ** 30)).toBe(Errno.ENOMEM);
      expect(areasOf(mm)).toEqual(before);
      expect([load(HIGH + 510), load(HIGH + 512)]).toEqual([1, 2]);
      checkAccounting(machine.kernel, [mm]);
    }
  });
});

describe('mremap to a fixed target', () => {
  it.each([-8, 8])('may go right beside the old place, by %i pages, but not over it', (distance) => {
    const { machine, mm, remap, store, load } = setup();
    for (let i = 0; i < 8; i++) store(HIGH + i, 50 + i);
    const over = HIGH + distance - Math.sign(distance);
    expect(remap(HIGH, 8, 8, MayMove | Fixed, over)).toBe(Errno.EINVAL);
    expect(remap(HIGH, 8, 8, MayMove | Fixed, HIGH + distance)).toBe(HIGH + distance);
    expect(areasOf(mm)).toEqual([`${HIGH + distance}+8 rw-`]);
    expect([0, 7].map((i) => load(HIGH + distance + i))).toEqual([50, 57]);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('mremap of several areas', () => {
  it('moves none of them', () => {
    const { machine, mm, remap } = setup();
    mapFixed(machine, mm, HIGH + 8, 4, Prot.Read);
    const before = areasOf(mm);
    expect(remap(HIGH, 10, 10, MayMove | Fixed, TO)).toBe(Errno.EFAULT);
    expect(remap(HIGH, 10, 11, MayMove | Fixed, TO)).toBe(Errno.EFAULT);
    expect(remap(HIGH, 10, 12, MayMove)).toBe(Errno.EFAULT);
    expect(remap(HIGH, 10, 10, MayMove | DontUnmap)).toBe(Errno.EFAULT);
    expect(remap(HIGH - 1, 4, 4, MayMove | Fixed, TO)).toBe(Errno.EFAULT);
    expect(areasOf(mm)).toEqual(before);
  });

  it('has unmapped the target by the time it finds out', () => {
    const { machine, mm, remap } = setup();
    mapFixed(machine, mm, TO, 16, Prot.Read);
    expect(remap(HIGH, 10, 10, MayMove | Fixed, TO + 2)).toBe(Errno.EFAULT);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`, `${TO}+2 r--`, `${TO + 12}+4 r--`]);
  });

  it('keeps its size or shrinks all the same, whatever lies behind the first', () => {
    const { machine, mm, remap } = setup();
    mapFixed(machine, mm, HIGH + 8, 4, Prot.Read);
    expect(remap(HIGH, 20, 20, MayMove)).toBe(HIGH);
    expect(remap(HIGH, 11, 10)).toBe(HIGH);
    expect(areasOf(mm)).toEqual([`${HIGH}+8 rw-`, `${HIGH + 8}+2 r--`, `${HIGH + 11}+1 r--`]);
  });
});

describe('MREMAP_DONTUNMAP', () => {
  it('leaves the old area mapped, empty, and out of the reverse map', () => {
    const { machine, mm, remap, store, load } = setup();
    store(HIGH + 1, 6);
    const mirror = new RecordingNotifier(machine.kernel, mm, HIGH, 8);
    expect(remap(HIGH, 8, 8, MayMove | DontUnmap)).toBe(MMAP_BASE - 8);
    expect(mirror.take()).toEqual([`UNMAP ${HIGH}+8`]);
    expect(mm.vmas.find(vpn(HIGH))?.anonVma).toBeNull();
    expect([load(HIGH + 1), load(MMAP_BASE - 7)]).toEqual([0, 6]);
    store(HIGH + 1, 8);
    expect([load(HIGH + 1), load(MMAP_BASE - 7)]).toEqual([8, 6]);
    checkAccounting(machine.kernel, [mm]);
  });

  it('of part of an area keeps the rest; with Fixed it goes to the target, without it the target is a hint', () => {
    const { machine, mm, remap, store, load } = setup();
    for (let i = 0; i < 8; i++) store(HIGH + i, 50 + i);
    expect(remap(HIGH + 2, 2, 2, MayMove | DontUnmap | Fixed, TO)).toBe(TO);
    expect(remap(HIGH + 4, 2, 2, MayMove | DontUnmap, TO + 50)).toBe(TO + 50);
    expect(remap(HIGH + 6, 2, 2, MayMove | DontUnmap, TO + 51)).toBe(MMAP_BASE - 2);
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((i) => load(HIGH + i))).toEqual([50, 51, 0, 0, 0, 0, 0, 0]);
    expect([load(TO + 1), load(TO + 50), load(MMAP_BASE - 1)]).toEqual([53, 54, 57]);
    checkAccounting(machine.kernel, [mm]);
  });
});

describe('mremap errors', () => {
  it('are -EINVAL for arguments that make no sense', () => {
    const { remap } = setup();
    const cases: [number, number, number, number, number][] = [
      [HIGH, 4, 0, 0, 0],
      [HIGH, 4, TASK_SIZE_PAGES + 1, MayMove | Fixed, 0],
      [HIGH, 4, 4, 8, 0],
      [HIGH, 4, 4, Fixed, TO],
      [HIGH, 4, 4, DontUnmap, TO],
      [HIGH, 4, 5, MayMove | DontUnmap, TO],
      [HIGH, 4, 4, MayMove | Fixed, HIGH + 3],
      [HIGH, 4, 4, MayMove | Fixed, HIGH - 3],
      [HIGH, 4, 4, MayMove | Fixed, HIGH],
      [HIGH, 4, 4, MayMove | Fixed, TASK_SIZE_PAGES - 3],
      [HIGH, 0, 4, MayMove, 0],
    ];
    for (const args of cases) expect([args, remap(...args)]).toEqual([args, Errno.EINVAL]);
  });

  it('are -EINVAL for an old end beyond the address space, with all that is mapped up to there untouched', () => {
    const { machine, mm, remap } = setup();
    const far = TASK_SIZE_PAGES - 8;
    mapFixed(machine, mm, far, 8);
    const before = areasOf(mm);
    expect(remap(HIGH, TASK_SIZE_PAGES - HIGH + 1, 1)).toBe(Errno.EINVAL);
    expect(remap(far, TASK_SIZE_PAGES, 4)).toBe(Errno.EINVAL);
    expect(areasOf(mm)).toEqual(before);
    // The lock has been released; up to the end all goes.
    expect(remap(HIGH, TASK_SIZE_PAGES - HIGH, 1)).toBe(HIGH);
    expect(areasOf(mm)).toEqual([`${HIGH}+1 rw-`]);
  });

  it('are -EINVAL for such an end also to a fixed target, which has been unmapped by then', () => {
    const { machine, mm, remap } = setup();
    const below = HIGH - 100;
    mapFixed(machine, mm, below, 2);
    mapFixed(machine, mm, TO, 4);
    expect(remap(HIGH, TASK_SIZE_PAGES, 1, MayMove | Fixed, below)).toBe(Errno.EINVAL);
    expect(areasOf(mm)).toEqual([`${below + 1}+1 rw-`, `${HIGH}+8 rw-`, `${TO}+4 rw-`]);
  });

  it('are -EFAULT without an area, and for part of one that ends too early', () => {
    const { remap } = setup();
    expect(remap(HIGH + 8, 1, 2, MayMove)).toBe(Errno.EFAULT);
    expect(remap(HIGH + 8, 2, 1)).toBe(Errno.EFAULT);
    expect(remap(HIGH + 6, 3, 4, MayMove)).toBe(Errno.EFAULT);
    expect(remap(HIGH + 8, 2, 2, MayMove | Fixed, HIGH + 8)).toBe(Errno.EFAULT);
  });

  it('are -EPERM below vm.mmap_min_addr, with the source untouched', () => {
    const { remap, store, load } = setup();
    store(HIGH, 4);
    expect(remap(HIGH, 4, 4, MayMove | Fixed, MMAP_MIN - 1)).toBe(Errno.EPERM);
    expect(load(HIGH)).toBe(4);
  });

  it('are -EPERM for such a hint, unless something is mapped there', () => {
    const { machine, mm, remap, store, load } = setup();
    store(HIGH, 4);
    expect(remap(HIGH, 4, 4, MayMove | DontUnmap, MMAP_MIN - 1)).toBe(Errno.EPERM);
    expect(load(HIGH)).toBe(4);
    mapFixed(machine, mm, MMAP_MIN, 1);
    expect(remap(HIGH, 4, 4, MayMove | DontUnmap, MMAP_MIN - 1)).toBe(MMAP_BASE - 4);
  });

  it('are -ENOMEM where the address space has no room', () => {
    const { remap } = setup();
    expect(remap(HIGH, 8, TASK_SIZE_PAGES - 8, MayMove)).toBe(Errno.ENOMEM);
    expect(remap(HIGH, 8, TASK_SIZE_PAGES + 1, MayMove)).toBe(Errno.ENOMEM);
  });
});
