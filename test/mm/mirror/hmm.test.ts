/** hmm_range_fault: what each kind of entry gives to a snapshot and to a fault, which requests count, and when it gives up. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import {
  HmmPfnFlag,
  hmmPfn,
  hmmPfnAt,
  hmmPfnFlags,
  hmmPfnToPfn,
  NO_PFN,
  type Pfn,
} from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import { NO_OWNER, type PagemapOwner, pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import { Hmm, type HmmRange, HmmStep } from '../../../src/mm/mirror/hmm.js';
import { IntervalNotifier } from '../../../src/mm/mirror/mmuNotifier.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { makePte, PteBit, PteKind, pteHas, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import {
  type KernelOptions,
  type Machine,
  makeMachine,
  makeMm,
  mapFixed,
  pteOf,
  run,
  runAll,
  settle,
  spawn,
  TestCpu,
  TestDevice,
} from '../harness.js';
import { HUGE_AREA, HUGE_RAM, mapHugeArea, mapHugePage } from '../huge/hugeHarness.js';

const { VALID, WRITE, ERROR, REQ_FAULT, REQ_WRITE, DMA_MAPPED, P2PDMA } = HmmPfnFlag;
const AREA = 0x1000;
const OWN = pagemapOwner(100);

let machine: Machine;
let kernel: Kernel;
let mm: Mm;
let cpu: TestCpu;
let device: TestDevice;
let hmm: Hmm;
let sub: IntervalNotifier;

beforeEach(() => build());

function build(options: KernelOptions = {}): void {
  machine = makeMachine({ vramPages: [64], ...options });
  kernel = machine.kernel;
  mm = makeMm(kernel);
  cpu = new TestCpu(machine, mm);
  device = new TestDevice(kernel);
  hmm = new Hmm(kernel, machine.calls.faults);
  const ops = {
    *invalidate(interval: IntervalNotifier, _range: unknown, seq: number): Steps<boolean> {
      interval.setSeq(seq);
      return true;
    },
  };
  sub = new IntervalNotifier(vpn(AREA), vpn(AREA + 1024), ops);
  run(kernel, mm.notifiers.insert(sub));
}

interface Ask {
  /** Or-ed into every request; a snapshot unless told. */
  readonly flags?: number;
  /** Requests per page, with the mask under which they count. */
  readonly pfns?: readonly number[];
  readonly mask?: number;
  readonly owner?: PagemapOwner;
  readonly seq?: number;
}

interface Answer {
  readonly errno: Errno;
  /** `-` nothing, `E` error, `r` valid, `w` valid and writable. */
  readonly kinds: string;
  readonly pfns: Pfn[];
  readonly raw: number[];
}

function rangeOf(start: number, npages: number, ask: Ask): HmmRange {
  const pfns = new Uint32Array(npages);
  pfns.set(ask.pfns ?? []);
  return {
    mm,
    notifier: sub,
    notifierSeq: ask.seq ?? sub.invalidateSeq,
    start: vpn(start),
    end: vpn(start + npages),
    pfns,
    defaultFlags: ask.flags ?? 0,
    pfnFlagsMask: ask.mask ?? 0,
    devPrivateOwner: ask.owner ?? NO_OWNER,
  };
}

function* walk(start: number, npages: number, ask: Ask): Steps<Answer> {
  const range = rangeOf(start, npages, ask);
  const { pfns } = range;
  yield* mm.mmapLock.read();
  const errno = yield* hmm.rangeFault(range);
  mm.mmapLock.readUnlock();
  const entries = Array.from(pfns, (_, i) => hmmPfnAt(pfns, i));
  const kinds = entries.map((entry) => {
    const flags = hmmPfnFlags(entry);
    if ((flags & ERROR) !== 0) return 'E';
    if ((flags & VALID) === 0) return '-';
    return (flags & WRITE) !== 0 ? 'w' : 'r';
  });
  return { errno, kinds: kinds.join(''), pfns: entries.map(hmmPfnToPfn), raw: entries };
}

function ask(start: number, npages: number, options: Ask = {}): Answer {
  return run(kernel, walk(start, npages, options));
}

/** As a caller does: begins again with a new sequence when its own faults have invalidated the span. */
function settled(start: number, npages: number, options: Ask = {}): Answer {
  for (let tries = 0; tries < 5; tries++) {
    const answer = ask(start, npages, options);
    if (answer.errno !== Errno.EBUSY) return answer;
  }
  throw new Error('never settles');
}

function write(page: number, value = page): void {
  expect(run(kernel, cpu.store(page, value))).toBe(Errno.OK);
}

function protect(start: number, npages: number, prot: number): void {
  expect(run(kernel, machine.calls.mprotect.mprotect(mm, vpn(start), npages, prot))).toBe(Errno.OK);
}

function setEntry(page: number, kind: PteKind, pfn: Pfn, bits = 0): void {
  mm.pageTable.write(mm.pageTable.ensure(page), makePte(kind, pfn, bits));
}

describe('where nothing is mapped', () => {
  it('a snapshot says ERROR', () => {
    mapFixed(machine, mm, AREA + 2, 2);
    expect(ask(AREA, 6)).toMatchObject({ errno: Errno.OK, kinds: 'EE--EE' });
  });

  it('a fault is -EFAULT, before, between and after areas', () => {
    mapFixed(machine, mm, AREA + 2, 2);
    mapFixed(machine, mm, AREA + 6, 2, Prot.Read);
    for (const [start, npages] of [
      [AREA, 4],
      [AREA + 2, 6],
      [AREA + 6, 4],
      [AREA + 20, 1],
    ]) {
      expect(ask(start, npages, { flags: REQ_FAULT }).errno).toBe(Errno.EFAULT);
    }
  });

  it('only the pages that are asked for matter', () => {
    mapFixed(machine, mm, AREA, 2);
    const pfns = [REQ_FAULT, REQ_FAULT, 0, 0];
    expect(ask(AREA, 4, { pfns, mask: REQ_FAULT })).toMatchObject({ errno: Errno.OK, kinds: 'rrEE' });
    expect(ask(AREA, 4, { pfns: [0, 0, 0, REQ_FAULT], mask: REQ_FAULT }).errno).toBe(Errno.EFAULT);
  });
});

describe('an area without read access', () => {
  beforeEach(() => {
    mapFixed(machine, mm, AREA, 6);
    for (let i = 0; i < 6; i++) write(AREA + i);
    protect(AREA + 2, 2, Prot.None);
  });

  it('is ERROR to a snapshot and skipped as a whole', () => {
    expect(ask(AREA, 6)).toMatchObject({ errno: Errno.OK, kinds: 'wwEEww' });
  });

  it('is -EFAULT to a fault', () => {
    expect(ask(AREA, 6, { flags: REQ_FAULT }).errno).toBe(Errno.EFAULT);
    expect(ask(AREA + 2, 1, { flags: REQ_FAULT }).errno).toBe(Errno.EFAULT);
  });
});

describe('an empty entry', () => {
  beforeEach(() => {
    mapFixed(machine, mm, AREA, 8);
  });

  it('gives nothing to a snapshot, and is left alone', () => {
    expect(ask(AREA, 2)).toMatchObject({ errno: Errno.OK, kinds: '--' });
    expect(pteKind(pteOf(mm, AREA))).toBe(PteKind.None);
  });

  it('becomes the zero page for a read request', () => {
    const answer = ask(AREA, 2, { flags: REQ_FAULT });
    expect(answer).toMatchObject({ errno: Errno.OK, kinds: 'rr', pfns: [kernel.zeroPage, kernel.zeroPage] });
  });

  it('becomes a page of its own for a write request', () => {
    const answer = ask(AREA, 2, { flags: REQ_FAULT | REQ_WRITE });
    expect(answer.kinds).toBe('ww');
    expect(answer.pfns).toEqual([ptePfn(pteOf(mm, AREA)), ptePfn(pteOf(mm, AREA + 1))]);
    expect(new Set(answer.pfns).size).toBe(2);
  });

  it('does not count a write request without a fault request', () => {
    expect(ask(AREA, 1, { flags: REQ_WRITE })).toMatchObject({ errno: Errno.OK, kinds: '-' });
  });

  it('is faulted in along with what follows it in the area', () => {
    ask(AREA, 8, { pfns: [REQ_FAULT], mask: REQ_FAULT });
    expect([0, 7].map((i) => pteKind(pteOf(mm, AREA + i)))).toEqual([PteKind.Present, PteKind.Present]);
  });
});

describe('a present entry', () => {
  beforeEach(() => {
    mapFixed(machine, mm, AREA, 4);
    for (let i = 0; i < 4; i++) write(AREA + i);
  });

  it('is valid, and writable if the entry is', () => {
    const answer = ask(AREA, 4, { flags: REQ_FAULT | REQ_WRITE });
    expect(answer.kinds).toBe('wwww');
    expect(answer.pfns).toEqual([0, 1, 2, 3].map((i) => ptePfn(pteOf(mm, AREA + i))));
  });

  it('in a read-only area is valid for reading, and -EPERM for writing', () => {
    protect(AREA, 4, Prot.Read);
    expect(ask(AREA, 4, { flags: REQ_FAULT })).toMatchObject({ errno: Errno.OK, kinds: 'rrrr' });
    expect(ask(AREA, 4, { flags: REQ_FAULT | REQ_WRITE }).errno).toBe(Errno.EPERM);
  });

  it('that is the zero page is broken by a write request only', () => {
    mapFixed(machine, mm, AREA + 8, 1);
    run(kernel, cpu.load(AREA + 8));
    expect(ask(AREA + 8, 1, { flags: REQ_FAULT })).toMatchObject({ kinds: 'r', pfns: [kernel.zeroPage] });
    const answer = settled(AREA + 8, 1, { flags: REQ_FAULT | REQ_WRITE });
    expect(answer.kinds).toBe('w');
    expect(answer.pfns[0]).not.toBe(kernel.zeroPage);
  });

  it('stays clean where it is writable already, but is marked as written where a page before it is faulted in', () => {
    const isDirty = (page: number): boolean => pteHas(pteOf(mm, page), PteBit.Dirty);
    setEntry(AREA + 1, PteKind.Present, ptePfn(pteOf(mm, AREA + 1)), PteBit.Write | PteBit.Young);
    ask(AREA, 4, { flags: REQ_FAULT | REQ_WRITE });
    expect(isDirty(AREA + 1)).toBe(false);
    run(kernel, machine.calls.madvise.madvise(mm, vpn(AREA), 1, Madvise.DontNeed));
    settled(AREA, 4, { flags: REQ_FAULT | REQ_WRITE });
    expect(isDirty(AREA + 1)).toBe(true);
  });

  it('that nobody may access counts as not valid', () => {
    const pte = pteOf(mm, AREA);
    setEntry(AREA, PteKind.Present, ptePfn(pte), PteBit.Write | PteBit.ProtNone);
    expect(ask(AREA, 1)).toMatchObject({ errno: Errno.OK, kinds: '-' });
    expect(ask(AREA, 1, { flags: REQ_FAULT })).toMatchObject({ errno: Errno.OK, pfns: [ptePfn(pte)] });
    expect(pteHas(pteOf(mm, AREA), PteBit.ProtNone)).toBe(false);
  });
});

describe('a device-private entry', () => {
  let pfn: Pfn;

  beforeEach(() => {
    mapFixed(machine, mm, AREA, 4);
    for (let i = 0; i < 4; i++) write(AREA + i);
    pfn = device.takePage(mm, AREA + 1);
  });

  it('of the owner is valid where it is, without a CPU fault', () => {
    const answer = ask(AREA, 4, { flags: REQ_FAULT | REQ_WRITE, owner: OWN });
    expect(answer.kinds).toBe('wwww');
    expect(answer.pfns[1]).toBe(pfn);
    expect(device.migrations).toBe(0);
  });

  it('of the owner that is read-only is valid without WRITE even for a write request: the caller must look', () => {
    setEntry(AREA + 1, PteKind.DevicePrivate, pfn);
    expect(ask(AREA + 1, 1, { flags: REQ_FAULT | REQ_WRITE, owner: OWN })).toMatchObject({
      errno: Errno.OK,
      kinds: 'r',
    });
    expect(device.migrations).toBe(0);
  });

  it.each([
    ['of another owner', pagemapOwner(7)],
    ['for nobody', NO_OWNER],
  ])('%s gives nothing to a snapshot and stays', (_, owner) => {
    expect(ask(AREA, 4, { owner })).toMatchObject({ errno: Errno.OK, kinds: 'w-ww' });
    expect(device.migrations).toBe(0);
  });

  it.each([
    ['of another owner', pagemapOwner(7)],
    ['for nobody', NO_OWNER],
  ])('%s comes home when it is asked for', (_, owner) => {
    const answer = ask(AREA, 4, { flags: REQ_FAULT, owner });
    expect(answer).toMatchObject({ errno: Errno.OK, kinds: 'wwww' });
    expect(device.migrations).toBe(1);
    expect(answer.pfns[1]).not.toBe(pfn);
    expect(run(kernel, cpu.load(AREA + 1))).toBe(AREA + 1);
  });

  it('whose memory belongs to nobody matches nobody', () => {
    device.pagemap.owner = NO_OWNER;
    expect(ask(AREA, 4, { owner: NO_OWNER })).toMatchObject({ kinds: 'w-ww' });
  });

  it('whose device cannot give the page back is -EFAULT', () => {
    device.refuseWith = Errno.EIO;
    expect(ask(AREA, 4, { flags: REQ_FAULT }).errno).toBe(Errno.EFAULT);
  });

  it('that stays for its timeslice is asked for until it comes', () => {
    let refusals = 20;
    device.refuseWith = Errno.OK;
    device.beforeMigrate = function* () {
      if (--refusals === 0) device.refuseWith = null;
    };
    const before = kernel.sched.now();
    expect(ask(AREA + 1, 1, { flags: REQ_FAULT })).toMatchObject({ errno: Errno.OK, kinds: 'w' });
    expect(refusals).toBe(0);
    // Each time round takes time, or a timeslice would never end.
    expect(kernel.sched.now()).toBeGreaterThan(before);
  });
});

describe('a migration entry', () => {
  let pfn: Pfn;

  function* lockPage(): Steps<void> {
    kernel.folios.trylock(pfn, kernel.sched.self.id);
    setEntry(AREA, PteKind.Migration, pfn, PteBit.Write);
    yield* kernel.sched.sleep(1000);
    setEntry(AREA, PteKind.Present, pfn, PteBit.Write);
    kernel.folioLocks.unlock(pfn);
  }

  beforeEach(() => {
    mapFixed(machine, mm, AREA, 2);
    write(AREA);
    write(AREA + 1);
    pfn = ptePfn(pteOf(mm, AREA));
    spawn(kernel, 'migration', lockPage());
  });

  it('gives nothing to a snapshot, which does not wait', () => {
    const snapshot = function* (): Steps<void> {
      yield* kernel.sched.sleep(10);
      const answer = yield* walk(AREA, 2, {});
      expect(answer).toMatchObject({ errno: Errno.OK, kinds: '-w' });
      expect(kernel.sched.now()).toBe(10);
    };
    spawn(kernel, 'snapshot', snapshot());
    settle(kernel);
  });

  it('makes a fault wait for the end of the migration', () => {
    const fault = function* (): Steps<void> {
      yield* kernel.sched.sleep(10);
      const answer = yield* walk(AREA, 2, { flags: REQ_FAULT });
      expect(answer).toMatchObject({ errno: Errno.OK, kinds: 'ww' });
      expect(kernel.sched.now()).toBe(1000);
    };
    spawn(kernel, 'fault', fault());
    settle(kernel);
  });
});

describe('other entries', () => {
  beforeEach(() => {
    mapFixed(machine, mm, AREA, 2);
  });

  it('that are poisoned are -EFAULT, also to a snapshot', () => {
    setEntry(AREA, PteKind.HwPoison, NO_PFN, PteBit.Young);
    expect(ask(AREA, 2).errno).toBe(Errno.EFAULT);
  });

  it('that are markers give nothing to a snapshot', () => {
    setEntry(AREA, PteKind.Marker, NO_PFN, PteBit.UffdWp);
    expect(ask(AREA, 2)).toMatchObject({ errno: Errno.OK, kinds: '--' });
  });
});

describe('requests and results share an array', () => {
  beforeEach(() => {
    mapFixed(machine, mm, AREA, 4);
    write(AREA);
  });

  it('sticky flags of the input are kept, everything else is overwritten', () => {
    const sticky = DMA_MAPPED | P2PDMA;
    const answer = ask(AREA, 2, { pfns: [sticky | ERROR, sticky | WRITE] });
    expect(answer.raw.map((entry) => entry & (sticky | ERROR))).toEqual([sticky, sticky]);
    expect(answer.kinds).toBe('w-');
  });

  it('garbage of an array that was not zeroed shows as flags', () => {
    expect(ask(AREA, 1, { pfns: [0xffffffff] }).raw[0] & DMA_MAPPED).toBe(DMA_MAPPED);
  });

  it('the input counts as a request only under the mask', () => {
    expect(ask(AREA, 2, { pfns: [REQ_FAULT, REQ_FAULT] }).kinds).toBe('w-');
    expect(
      ask(AREA, 2, { pfns: [REQ_FAULT, REQ_FAULT | REQ_WRITE], mask: REQ_FAULT | REQ_WRITE }).kinds,
    ).toBe('ww');
  });

  it('a masked request adds to the default one', () => {
    const pfns = [0, REQ_WRITE, 0];
    expect(settled(AREA + 1, 3, { flags: REQ_FAULT, pfns, mask: REQ_WRITE }).kinds).toMatch(/^[rw]w[rw]$/);
  });
});

describe('the walk', () => {
  it('is -EBUSY with a sequence that is stale at the start', () => {
    mapFixed(machine, mm, AREA, 2);
    expect(ask(AREA, 2, { seq: sub.invalidateSeq + 2 }).errno).toBe(Errno.EBUSY);
  });

  it('is -EBUSY when an invalidation comes between two parts, and takes a new sequence then', () => {
    mapFixed(machine, mm, AREA, 16);
    let once = true;
    kernel.sched.observer = {
      onStep: (_task, step) => {
        if (step === HmmStep.walked && once) sub.setSeq(sub.invalidateSeq + 2);
        if (step === HmmStep.walked) once = false;
      },
    };
    expect(ask(AREA, 16).errno).toBe(Errno.EBUSY);
    expect(ask(AREA, 16).errno).toBe(Errno.OK);
  });

  it('is -EBUSY when its own fault raised an invalidation of the span', () => {
    mapFixed(machine, mm, AREA, 2);
    run(kernel, cpu.load(AREA));
    const seq = sub.invalidateSeq;
    const answer = ask(AREA, 1, { flags: REQ_FAULT | REQ_WRITE, seq });
    // Breaking the zero page is a CLEAR of that page.
    expect(sub.invalidateSeq).not.toBe(seq);
    expect(answer.errno).toBe(Errno.EBUSY);
    expect(ask(AREA, 1, { flags: REQ_FAULT | REQ_WRITE })).toMatchObject({ errno: Errno.OK, kinds: 'w' });
  });

  it('is -ENOMEM when a page cannot be had', () => {
    mapFixed(machine, mm, AREA, 2);
    kernel.allocPage = () => NO_PFN;
    expect(ask(AREA, 2, { flags: REQ_FAULT | REQ_WRITE }).errno).toBe(Errno.ENOMEM);
  });

  it('crosses page-table leaves and areas of different rights', () => {
    mapFixed(machine, mm, AREA + 510, 2);
    mapFixed(machine, mm, AREA + 512, 2, Prot.Read);
    write(AREA + 511);
    expect(ask(AREA + 509, 6)).toMatchObject({ errno: Errno.OK, kinds: 'E-w--E' });
    expect(ask(AREA + 510, 4, { flags: REQ_FAULT })).toMatchObject({ errno: Errno.OK, kinds: 'rwrr' });
    expect(settled(AREA + 510, 4, { flags: REQ_FAULT | REQ_WRITE }).errno).toBe(Errno.EPERM);
  });

  it('needs mmap_lock', () => {
    expect(() => run(kernel, hmm.rangeFault(rangeOf(AREA, 1, {})))).toThrow('must be held');
  });

  it('leaves the lowest order in each entry: every leaf is one page', () => {
    mapFixed(machine, mm, AREA, 1);
    write(AREA);
    const pfn = ptePfn(pteOf(mm, AREA));
    expect(ask(AREA, 1).raw).toEqual([hmmPfn(pfn, VALID | WRITE, 0)]);
  });

  it('without a lock, gives up where mmap_lock came too late', () => {
    mapFixed(machine, mm, AREA, 1);
    run(kernel, cpu.store(AREA, 7));
    const range = rangeOf(AREA, 1, { flags: REQ_FAULT });
    const walkBehindAWriter = (timeoutNs: number): number[] => {
      const write = function* (): Steps<number> {
        yield* mm.mmapLock.write();
        yield* kernel.sched.sleep(3000);
        mm.mmapLock.writeUnlock();
        return 0;
      };
      const walk = function* (): Steps<number> {
        yield* kernel.sched.sleep(10);
        return yield* hmm.rangeFaultUnlocked(range, timeoutNs);
      };
      return runAll(kernel, [write(), walk()]);
    };
    expect(walkBehindAWriter(1000)).toEqual([0, Errno.EBUSY]);
    expect(mm.mmapLock.isLocked).toBe(false);
    expect(walkBehindAWriter(5000)).toEqual([0, Errno.OK]);
  });
});

describe('the modelled time of a walk', () => {
  const HMM_PAGE_NS = 7;

  it('is that of the entries that it looks at: a place without a table is one, as is a large leaf', () => {
    const costs = {
      cpuFaultNs: 0,
      migratePageNs: 0,
      hmmPageNs: HMM_PAGE_NS,
      tlbShootdownNs: 0,
      syscallNs: 0,
    };
    build({ ramPages: HUGE_RAM, costs });
    const entriesIn = (start: number, npages: number): number => {
      const before = kernel.sched.now();
      ask(start, npages);
      return (kernel.sched.now() - before) / HMM_PAGE_NS;
    };
    mapHugeArea(machine, mm, 2);
    expect(entriesIn(HUGE_AREA, PMD_PAGES + 1)).toBe(2);
    mapHugePage(machine, mm, HUGE_AREA);
    expect(entriesIn(HUGE_AREA + 5, PMD_PAGES - 5)).toBe(1);
    mapFixed(machine, mm, AREA, 8);
    write(AREA);
    expect(entriesIn(AREA, 8)).toBe(8);
  });
});
