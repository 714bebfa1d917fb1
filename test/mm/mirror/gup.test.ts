/** get_user_pages: what may be referenced or pinned, where the pages are then, and what a pin forbids. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import type { Pfn } from '../../../src/memory/pfn.js';
import { ZoneKind } from '../../../src/memory/zone.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { GupFlag } from '../../../src/mm/mirror/gup.js';
import { GUP_PIN_COUNTING_BIAS } from '../../../src/mm/mirror/pinning.js';
import { Mm } from '../../../src/mm/process/mm.js';
import { makePte, PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import { forEachFailure } from '../failureLoop.js';
import {
  checkAccounting,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  run,
  runAll,
  TestCpu,
  TestDevice,
} from '../harness.js';

const HIGH = 2 ** 34;
const { Write, Pin, LongTerm } = GupFlag;

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  readonly device: TestDevice;
}

/** Four written pages, the first on a device of the kind given. */
function setup(kind: ZoneKind = ZoneKind.DevicePrivate): Setup {
  const machine = makeMachine({ vramPages: [16], vramKinds: [kind] });
  const mm = makeMm(machine.kernel);
  const cpu = new TestCpu(machine, mm);
  mapFixed(machine, mm, HIGH, 4);
  for (let i = 0; i < 4; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
  const device = new TestDevice(machine.kernel);
  device.takePage(mm, HIGH);
  if (kind === ZoneKind.DeviceCoherent) {
    const pte = pteOf(mm, HIGH);
    mm.pageTable.write(mm.pageTable.slot(HIGH), makePte(PteKind.Present, ptePfn(pte), pte & PteBit.Write));
  }
  return { machine, mm, cpu, device };
}

function* locked(mm: Mm, steps: Steps<number>): Steps<number> {
  yield* mm.mmapLock.read();
  const result = yield* steps;
  mm.mmapLock.readUnlock();
  return result;
}

function get({ machine, mm }: Setup, page: number, flags: number, out: Uint32Array, fast = false): number {
  const { gup } = machine.calls;
  if (fast) return run(machine.kernel, gup.getUserPagesFast(mm, vpn(page), out.length, flags, out));
  return run(machine.kernel, locked(mm, gup.getUserPages(mm, vpn(page), out.length, flags, out)));
}

describe('get_user_pages', () => {
  for (const [name, flags, fast] of [
    ['get_user_pages', Write, false],
    ['get_user_pages_fast', Write, true],
    ['pin_user_pages long-term', Write | Pin | LongTerm, false],
    ['pin_user_pages_fast long-term', Write | Pin | LongTerm, true],
  ] as const) {
    it(`${name}: private device pages come home; the rest is referenced where it is; release leaves nothing behind`, () => {
      const made = setup();
      const out = new Uint32Array(4);
      expect(get(made, HIGH, flags, out, fast)).toBe(4);
      const { machine, mm } = made;
      expect([...out]).toEqual([0, 1, 2, 3].map((i) => ptePfn(pteOf(mm, HIGH + i))));
      const perPage = 1 + ((flags & Pin) !== 0 ? GUP_PIN_COUNTING_BIAS : 1);
      expect([...out].map((pfn) => machine.kernel.folios.refcount(pfn as Pfn))).toEqual(
        [0, 1, 2, 3].map(() => perPage),
      );
      expect(made.device.migrations).toBe(1);
      if ((flags & Pin) !== 0) checkAccounting(machine.kernel, [mm]);
      machine.calls.gup.release(out, 4, flags);
      checkAccounting(machine.kernel, [mm]);
    });
  }

  it('leaves coherent device memory where it is, unless the pin is for long', () => {
    const made = setup(ZoneKind.DeviceCoherent);
    const { kernel, calls } = made.machine;
    const out = new Uint32Array(1);
    const isOnDevice = (): boolean =>
      kernel.memory.layout.zoneOf(ptePfn(pteOf(made.mm, HIGH))).kind !== ZoneKind.System;
    for (const flags of [Write, Write | Pin]) {
      expect(get(made, HIGH, flags, out, true)).toBe(1);
      calls.gup.release(out, 1, flags);
      expect(isOnDevice()).toBe(true);
    }
    expect(get(made, HIGH, Write | Pin | LongTerm, out, true)).toBe(1);
    expect(isOnDevice()).toBe(false);
    calls.gup.release(out, 1, Pin);
    expect(run(kernel, made.cpu.load(HIGH))).toBe(10);
    expect(made.device.vram.usedPages).toBe(0);
    checkAccounting(kernel, [made.mm]);
  });

  it('waits for whoever has a page of coherent device memory locked before it takes it home', () => {
    const made = setup(ZoneKind.DeviceCoherent);
    const { kernel, calls } = made.machine;
    const pfn = ptePfn(pteOf(made.mm, HIGH));
    const out = new Uint32Array(1);
    const pin = locked(made.mm, calls.gup.getUserPages(made.mm, vpn(HIGH), 1, Write | Pin | LongTerm, out));
    const holdForAWhile = function* (): Steps<number> {
      yield* kernel.folioLocks.lock(pfn);
      yield* kernel.sched.sleep(1000);
      kernel.folioLocks.unlock(pfn);
      return kernel.folios.refcount(pfn);
    };
    const [held, pinned] = runAll(kernel, [holdForAWhile(), pin]);
    // The entry's, the pin's that took its place.
    expect([held, pinned]).toEqual([2, 1]);
    expect(kernel.memory.layout.zoneOf(ptePfn(pteOf(made.mm, HIGH))).kind).toBe(ZoneKind.System);
    calls.gup.release(out, 1, Pin);
    checkAccounting(kernel, [made.mm]);
  });

  it('is -EFAULT outside areas and against their protection, or says how many pages it got before', () => {
    const made = setup();
    mapFixed(made.machine, made.mm, HIGH + 4, 1, Prot.Read);
    expect(get(made, HIGH + 5, 0, new Uint32Array(1))).toBe(Errno.EFAULT);
    expect(get(made, HIGH + 4, Write, new Uint32Array(1))).toBe(Errno.EFAULT);
    const out = new Uint32Array(3);
    expect(get(made, HIGH + 2, Write, out)).toBe(2);
    made.machine.calls.gup.release(out, 2, Write);
    checkAccounting(made.machine.kernel, [made.mm]);
  });

  it('gives a reader that pins a page of his own, so that the next store is seen through the pin; a plain reference is to the shared page', () => {
    const made = setup();
    const { kernel, calls } = made.machine;
    const child = run(kernel, calls.fork.fork(made.mm, 2));
    if (!(child instanceof Mm)) throw new Error('fork failed');
    const shared = ptePfn(pteOf(made.mm, HIGH + 1));
    const out = new Uint32Array(1);
    expect(get(made, HIGH + 1, 0, out)).toBe(1);
    expect(out[0]).toBe(shared);
    calls.gup.release(out, 1, 0);
    expect(get(made, HIGH + 1, Pin, out)).toBe(1);
    expect(out[0]).not.toBe(shared);
    expect(pteHas(pteOf(made.mm, HIGH + 1), PteBit.Write)).toBe(false);
    run(kernel, made.cpu.store(HIGH + 1, 77));
    expect(kernel.memory.words[kernel.memory.wordIndex(out[0])]).toBe(77);
    calls.gup.release(out, 1, Pin);
    checkAccounting(kernel, [made.mm, child]);
  });

  it('copies pinned pages for the child of a fork, and keeps them for the parent', () => {
    const made = setup();
    const { kernel, calls } = made.machine;
    const out = new Uint32Array(1);
    get(made, HIGH + 1, Write | Pin, out);
    const child = run(kernel, calls.fork.fork(made.mm, 2));
    if (!(child instanceof Mm)) throw new Error('fork failed');
    expect(ptePfn(pteOf(made.mm, HIGH + 1))).toBe(out[0]);
    expect(ptePfn(pteOf(child, HIGH + 1))).not.toBe(out[0]);
    expect(pteHas(pteOf(made.mm, HIGH + 1), PteBit.Write)).toBe(true);
    calls.gup.release(out, 1, Pin);
    checkAccounting(kernel, [made.mm, child]);
  });

  it('survives every failing allocation', () => {
    const runs = forEachFailure(() => {
      const made = setup(ZoneKind.DeviceCoherent);
      mapFixed(made.machine, made.mm, HIGH * 1.5, 1);
      const out = new Uint32Array(1);
      let got = 0;
      return {
        kernel: made.machine.kernel,
        act: () => {
          get(made, HIGH * 1.5, Write | Pin, out);
          made.machine.calls.gup.release(out, out[0] === 0 ? 0 : 1, Pin);
          got = get(made, HIGH, Write | Pin | LongTerm, out);
          if (got === 1) made.machine.calls.gup.release(out, 1, Pin);
        },
        check: () => {
          expect([1, Errno.EBUSY, Errno.ENOMEM]).toContain(got);
          expect(pteKind(pteOf(made.mm, HIGH))).toBe(PteKind.Present);
          checkAccounting(made.machine.kernel, [made.mm]);
        },
      };
    });
    expect(runs).toBeGreaterThan(2);
  });
});
