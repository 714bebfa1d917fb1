/** Each allocation of faults, HMM, migration and device-exclusive access fails in turn: an errno, nothing leaked or lost, and a repetition works. */

import { describe, expect, it } from 'vitest';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../src/base/units.js';
import { HmmPfnFlag, NO_PFN, type Pfn } from '../../src/memory/pfn.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { DISK_FILE } from '../../src/mm/file/fileType.js';
import { ThpMode } from '../../src/mm/kernel.js';
import { pagemapOwner } from '../../src/mm/migrate/devPagemap.js';
import { Hmm } from '../../src/mm/mirror/hmm.js';
import { IntervalNotifier } from '../../src/mm/mirror/mmuNotifier.js';
import type { Mm } from '../../src/mm/process/mm.js';
import type { Steps } from '../../src/sim/steps.js';
import { forEachFailure } from './failureLoop.js';
import { checkAccounting, type Machine, makeMachine, makeMm, mapFixed, run, TestCpu } from './harness.js';
import { HUGE_AREA, HUGE_RAM } from './huge/hugeHarness.js';
import { MigratingDevice } from './migrate/migratingDevice.js';

const HIGH = 2 ** 34;
const OWNER = pagemapOwner(7);

interface Setup {
  readonly machine: Machine;
  readonly mm: Mm;
  readonly cpu: TestCpu;
  readonly device: MigratingDevice;
}

/** Eight pages of which the first two were written, and nothing yet at HIGH / 2. */
function setup(ramPages = 256): Setup {
  const machine = makeMachine({ ramPages, vramPages: [16] });
  const mm = makeMm(machine.kernel);
  const cpu = new TestCpu(machine, mm);
  mapFixed(machine, mm, HIGH, 8);
  for (let i = 0; i < 2; i++) run(machine.kernel, cpu.store(HIGH + i, 10 + i));
  return { machine, mm, cpu, device: new MigratingDevice(machine.kernel) };
}

/** The call returns how much it got, or an errno. Whatever fails: what was written is there, and once nothing fails all is had. */
function failuresOf(wanted: number, prepare: () => Setup, call: (made: Setup) => Steps<number>): number {
  return forEachFailure(() => {
    const made = prepare();
    const { machine, mm, cpu } = made;
    let result = 0;
    return {
      kernel: machine.kernel,
      act: () => {
        result = run(machine.kernel, call(made));
      },
      check: (failed) => {
        checkAccounting(machine.kernel, [mm]);
        if (!failed) expect(result).toBe(wanted);
        else expect(result < 0 ? result : Errno.ENOMEM).toBe(Errno.ENOMEM);
        expect(run(machine.kernel, call(made))).toBe(wanted);
        expect([0, 1].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([10, 11]);
        checkAccounting(machine.kernel, [mm]);
      },
    };
  });
}

function* rangeFault({ machine, mm }: Setup): Steps<Errno> {
  const notifier = new IntervalNotifier(vpn(HIGH / 2), vpn(HIGH / 2 + 4), {
    *invalidate(sub, _range, seq) {
      sub.setSeq(seq);
      return true;
    },
  });
  yield* mm.notifiers.insert(notifier);
  const notifierSeq = yield* mm.notifiers.readBegin(notifier);
  yield* mm.mmapLock.read();
  const errno = yield* new Hmm(machine.kernel, machine.calls.faults).rangeFault({
    mm,
    notifier,
    notifierSeq,
    start: notifier.start,
    end: notifier.end,
    pfns: new Uint32Array(4),
    defaultFlags: HmmPfnFlag.REQ_FAULT | HmmPfnFlag.REQ_WRITE,
    pfnFlagsMask: 0,
    devPrivateOwner: OWNER,
  });
  mm.mmapLock.readUnlock();
  yield* mm.notifiers.remove(notifier);
  return errno;
}

function* lend({ machine, mm }: Setup): Steps<number> {
  const { kernel, calls } = machine;
  const pages = new Uint32Array(4);
  yield* mm.mmapLock.read();
  const got = yield* calls.exclusive.makeRange(mm, vpn(HIGH), vpn(HIGH + 4), pages, OWNER);
  mm.mmapLock.readUnlock();
  for (const word of pages) {
    const pfn = word as Pfn;
    if (pfn === NO_PFN) continue;
    kernel.folioLocks.unlock(pfn);
    kernel.folios.put(pfn);
  }
  return got;
}

describe('with each allocation failing in turn', () => {
  it('hmm_range_fault fails for what its faults need', () => {
    const prepare = (): Setup => {
      const made = setup();
      mapFixed(made.machine, made.mm, HIGH / 2, 4);
      return made;
    };
    expect(failuresOf(Errno.OK, prepare, rangeFault)).toBeGreaterThanOrEqual(6);
  });

  it('migrate_vma leaves where they are what it cannot place, holes too', () => {
    const call = ({ device, mm }: Setup): Steps<number> => device.take(mm, HIGH, 8);
    let moved = 0;
    const runs = forEachFailure(() => {
      const made = setup();
      const { machine, mm, cpu } = made;
      return {
        kernel: machine.kernel,
        act: () => {
          moved = run(machine.kernel, call(made));
        },
        check: (failed) => {
          expect(moved === 8).toBe(!failed);
          checkAccounting(machine.kernel, [mm]);
          expect([0, 1, 7].map((i) => run(machine.kernel, cpu.load(HIGH + i)))).toEqual([10, 11, 0]);
          checkAccounting(machine.kernel, [mm]);
        },
      };
    });
    expect(runs).toBe(8);
  });

  it('a fault on a device page fails when RAM has no place for it, and the page stays on the device', () => {
    const prepare = (): Setup => {
      const made = setup();
      expect(run(made.machine.kernel, made.device.take(made.mm, HIGH, 2))).toBe(2);
      return made;
    };
    const runs = forEachFailure(() => {
      const { machine, mm, cpu } = prepare();
      let loaded = 0;
      return {
        kernel: machine.kernel,
        act: () => {
          loaded = run(machine.kernel, cpu.load(HIGH));
        },
        check: (failed) => {
          expect(loaded).toBe(failed ? Errno.EFAULT : 10);
          checkAccounting(machine.kernel, [mm]);
          expect(run(machine.kernel, cpu.load(HIGH))).toBe(10);
        },
      };
    });
    expect(runs).toBe(1);
  });

  it('device-exclusive access ends before the page that it cannot have', () => {
    expect(failuresOf(4, () => setup(), lend)).toBe(2);
  });

  for (const flags of [MapFlag.Shared, 0]) {
    it(`a store to a ${flags === 0 ? 'private' : 'shared'} file mapping fails for tables and pages`, () => {
      const prepare = (): Setup => {
        const made = setup();
        const { kernel, calls } = made.machine;
        const file = kernel.pageCache.create(4, DISK_FILE);
        const args = { hint: vpn(HIGH / 2), npages: 4, prot: Prot.Read | Prot.Write, file };
        run(kernel, calls.memoryMap.mmap(made.mm, { ...args, flags: flags | MapFlag.Fixed }));
        return made;
      };
      const runs = failuresOf(Errno.OK, prepare, ({ cpu }) => cpu.store(HIGH / 2, 5));
      expect(runs).toBeGreaterThanOrEqual(4);
    });
  }

  it('a huge fault falls back to a small page, and fails only when there is none of these either', () => {
    const prepare = (): Setup => {
      const made = setup(HUGE_RAM);
      made.machine.kernel.thp = ThpMode.Always;
      mapFixed(made.machine, made.mm, HUGE_AREA, PMD_PAGES);
      return made;
    };
    const outcomes = new Set<number>();
    const runs = failuresOf(Errno.OK, prepare, function* ({ cpu }) {
      const errno = yield* cpu.store(HUGE_AREA, 5);
      outcomes.add(errno);
      return errno;
    });
    expect(runs).toBeGreaterThanOrEqual(4);
    expect(outcomes.has(Errno.ENOMEM)).toBe(true);
    assert(outcomes.size === 2, 'another errno than -ENOMEM');
  });
});
