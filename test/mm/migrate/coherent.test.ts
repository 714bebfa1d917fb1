/** Device memory that CPUs reach: present entries, shared and copied like RAM, never reclaimed, and not pinned for long where it is. */

import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { HmmPfnFlag, hmmPfnAt, hmmPfnToPfn } from '../../../src/memory/pfn.js';
import { ZoneKind } from '../../../src/memory/zone.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import { GupFlag } from '../../../src/mm/mirror/gup.js';
import { Hmm } from '../../../src/mm/mirror/hmm.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PTE_WRITTEN, PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  RecordingNotifier,
  run,
  TestCpu,
} from '../harness.js';
import { MigratingDevice } from './migratingDevice.js';

const HIGH = 2 ** 34;
const PAGES = 4;

let machine: Machine;
let mm: Mm;
let cpu: TestCpu;
let device: MigratingDevice;

/** Four written pages, all of them on the device. */
beforeEach(() => {
  machine = makeMachine({ vramPages: [16], vramKinds: [ZoneKind.DeviceCoherent] });
  mm = makeMm(machine.kernel);
  cpu = new TestCpu(machine, mm);
  device = new MigratingDevice(machine.kernel);
  mapFixed(machine, mm, HIGH, PAGES);
  for (let i = 0; i < PAGES; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
  expect(run(machine.kernel, device.take(mm, HIGH, PAGES))).toBe(PAGES);
});

function isOnDevice(i: number, of: Mm = mm): boolean {
  const pte = pteOf(of, HIGH + i);
  return (
    pteKind(pte) === PteKind.Present &&
    machine.kernel.memory.layout.zoneOf(ptePfn(pte)).kind === ZoneKind.DeviceCoherent
  );
}

const allPages = (of: Mm = mm): boolean[] => [0, 1, 2, 3].map((i) => isOnDevice(i, of));

describe('device-coherent memory', () => {
  it('is loaded from and stored to in place, and goes back when it is asked for', () => {
    expect(allPages()).toEqual([true, true, true, true]);
    expect(run(machine.kernel, cpu.load(HIGH + 1))).toBe(11);
    run(machine.kernel, cpu.store(HIGH + 1, 50));
    expect(isOnDevice(1)).toBe(true);
    checkAccounting(machine.kernel, [mm]);
    expect(run(machine.kernel, device.giveBack(mm, HIGH, PAGES))).toBe(PAGES);
    expect(allPages()).toEqual([false, false, false, false]);
    expect([0, 1].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([10, 50]);
    expect(device.vram.usedPages).toBe(0);
    checkAccounting(machine.kernel, [mm]);
  });

  it('is what HMM returns to whoever asks: it needs no owner', () => {
    const { kernel, calls } = machine;
    const { notifier } = new RecordingNotifier(kernel, mm, HIGH, PAGES);
    const pfns = new Uint32Array(PAGES);
    function* look(): Steps<Errno> {
      const notifierSeq = yield* mm.notifiers.readBegin(notifier);
      yield* mm.mmapLock.read();
      const errno = yield* new Hmm(kernel, calls.faults).rangeFault({
        mm,
        notifier,
        notifierSeq,
        start: vpn(HIGH),
        end: vpn(HIGH + PAGES),
        pfns,
        defaultFlags: HmmPfnFlag.REQ_FAULT | HmmPfnFlag.REQ_WRITE,
        pfnFlagsMask: 0,
        devPrivateOwner: pagemapOwner(1),
      });
      mm.mmapLock.readUnlock();
      return errno;
    }
    expect(run(kernel, look())).toBe(Errno.OK);
    expect(hmmPfnToPfn(hmmPfnAt(pfns, 2))).toBe(ptePfn(pteOf(mm, HIGH + 2)));
    expect(isOnDevice(2)).toBe(true);
  });

  it('that fills a hole counts as written where the area is writable', () => {
    const { kernel, calls } = machine;
    mapFixed(machine, mm, HIGH + 8, 1);
    mapFixed(machine, mm, HIGH + 16, 1, Prot.Read);
    run(kernel, calls.pagemap.clearSoftDirty(mm));
    for (const page of [8, 16]) expect(run(kernel, device.take(mm, HIGH + page, 1))).toBe(1);
    expect([8, 16].map((i) => pteHas(pteOf(mm, HIGH + i), PTE_WRITTEN | PteBit.Write))).toEqual([
      true,
      false,
    ]);
    expect([8, 16].map((i) => calls.pagemap.read(mm, vpn(HIGH + i)).softDirty)).toEqual([true, false]);
    checkAccounting(kernel, [mm]);
  });

  it('is not reclaimed', () => {
    expect(run(machine.kernel, machine.calls.reclaim.shrinkMm(mm))).toBe(0);
    expect(allPages()).toEqual([true, true, true, true]);
  });

  it('is shared by fork, and copied to RAM by the first who stores', () => {
    const { kernel, calls } = machine;
    const child = run(kernel, calls.fork.fork(mm, 2));
    assert(typeof child !== 'number', 'no child');
    expect(allPages(child)).toEqual([true, true, true, true]);
    run(kernel, cpu.store(HIGH, 99));
    expect([isOnDevice(0), isOnDevice(0, child)]).toEqual([false, true]);
    const other = new TestCpu(machine, child, 1);
    expect([run(kernel, other.load(HIGH)), run(kernel, cpu.load(HIGH))]).toEqual([10, 99]);
    checkAccounting(kernel, [mm, child]);
  });

  it('goes home before it is pinned for long, in every process', () => {
    const { kernel, calls } = machine;
    const out = new Uint32Array(PAGES);
    const flags = GupFlag.Write | GupFlag.Pin | GupFlag.LongTerm;
    expect(run(kernel, calls.gup.getUserPagesFast(mm, vpn(HIGH), PAGES, flags, out))).toBe(PAGES);
    expect(allPages()).toEqual([false, false, false, false]);
    checkAccounting(kernel, [mm]);
    expect(run(kernel, device.take(mm, HIGH, PAGES))).toBe(0);
    calls.gup.release(out, PAGES, flags);
    expect(run(kernel, device.take(mm, HIGH, PAGES))).toBe(PAGES);
    checkAccounting(kernel, [mm]);
  });
});
