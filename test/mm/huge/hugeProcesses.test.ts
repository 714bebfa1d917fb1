/** Random calls on huge and small pages of two processes do to content and permissions what a model of single pages says. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { PMD_PAGES, vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { ThpMode } from '../../../src/mm/kernel.js';
import { MigrateSelect } from '../../../src/mm/migrate/migrateVma.js';
import { GupFlag } from '../../../src/mm/mirror/gup.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { PteKind, pteKind, ptePfn } from '../../../src/mm/table/pte.js';
import type { Steps } from '../../../src/sim/steps.js';
import { checkAccounting, type Machine, makeMachine, makeMm, pteOf, run, TestCpu } from '../harness.js';
import { HugeDevice } from '../hugeDevice.js';
import { MemoryModel } from '../process/memoryModel.js';
import { HUGE_AREA } from './hugeHarness.js';

/** A nightly run asks for more; one of these costs as much as many of other properties. */
const RUNS = Math.ceil(Number(process.env.SVMSIM_PROPERTY_RUNS ?? 300) / 3);

const LEAVES = 2;
const PAGES = LEAVES * PMD_PAGES;
/** Where mremap moves things. */
const TARGET = HUGE_AREA + PAGES;
const PROCESSES_MAX = 2;
/** Where spans begin and end, and what is looked at: the edges of leaves, and places inside. */
const CUTS = [0, 1, 5, 256, 511, 512, 513, 768, 1023, 1024];
const PROBES = [...new Set(CUTS.flatMap((cut) => [cut - 1, cut]))].filter((at) => at >= 0 && at < PAGES);
const RW = Prot.Read | Prot.Write;

interface Pin {
  readonly mm: Mm;
  readonly page: number;
  readonly flags: number;
  readonly pages: Uint32Array;
  /** Whether nothing has taken the page from its address since, so that it must be the process's still. */
  holds: boolean;
}

class World {
  readonly machine: Machine = makeMachine({
    vramPages: [10 * PMD_PAGES],
    ramPages: 24 * PMD_PAGES,
    tables: 128,
    pagesPerStep: 512,
  });
  readonly device = new HugeDevice(this.machine);
  readonly model = new MemoryModel();
  readonly mms: Mm[] = [makeMm(this.machine.kernel, 1)];
  pins: Pin[] = [];
  private nextId = 2;

  constructor(thp: ThpMode) {
    this.machine.kernel.thp = thp;
  }

  run<T>(steps: Steps<T>): T {
    return run(this.machine.kernel, steps);
  }

  map(i: number, start: number, npages: number, prot: number): void {
    const args = { hint: vpn(start), npages, prot, flags: MapFlag.Fixed };
    this.loosen();
    expect(this.run(this.machine.calls.memoryMap.mmap(this.mms[i], args))).toBe(start);
    this.model.map(i, start, npages, prot);
  }

  advise(i: number, start: number, npages: number, advice: Madvise): Errno {
    return this.run(this.machine.calls.madvise.madvise(this.mms[i], vpn(start), npages, advice));
  }

  /** What fails half-way has emptied the target. */
  move(i: number, from: number, npages: number, to: number): void {
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const args = { from: vpn(from), fromPages: npages, toPages: npages, flags, target: vpn(to) };
    this.loosen();
    const moved = this.run(this.machine.calls.mremap.mremap(this.mms[i], args));
    if (moved === to) this.model.move(i, from, to, npages);
    else
      for (let page = to; page < to + npages; page++)
        if (this.mms[i].vmas.find(vpn(page)) === null) this.model.unmap(i, page, 1);
  }

  fork(of: number): void {
    if (this.mms.length === PROCESSES_MAX) return;
    const child = this.run(this.machine.calls.fork.fork(this.mms[of], this.nextId++));
    assert(typeof child !== 'number', 'fork failed');
    this.mms.push(child);
    this.model.fork(of);
  }

  exit(which: number): void {
    if (this.mms.length === 1) return;
    this.loosen();
    const [mm] = this.mms.splice(which, 1);
    this.run(this.machine.calls.exit.mmput(mm));
    this.model.exit(which);
  }

  pin(i: number, page: number, flags: number): void {
    const pages = new Uint32Array(4);
    const got = this.run(this.machine.calls.gup.getUserPagesFast(this.mms[i], vpn(page), 4, flags, pages));
    if (got > 0)
      this.pins.push({
        mm: this.mms[i],
        page,
        flags,
        pages: pages.slice(0, got),
        holds: (flags & GupFlag.Write) !== 0,
      });
  }

  /** Pages that were pinned for writing are still those that the process sees, wherever they were mapped all the time. */
  unpinAll(): void {
    for (const { mm, page, flags, pages, holds } of this.pins) {
      pages.forEach((pfn, i) => {
        const pte = holds ? pteOf(mm, page + i) : 0;
        if (holds) expect(ptePfn(pteOf(mm, page + i)), `pinned page ${i} (entry ${pte})`).toBe(pfn);
      });
      this.machine.calls.gup.release(pages, pages.length, flags);
    }
    this.pins = [];
  }

  loosen(): void {
    for (const pin of this.pins) pin.holds = false;
  }

  /** Takes a huge page that a device has back to RAM. */
  evict(i: number, leaf: number): void {
    const { folios } = this.machine.kernel;
    const pte = pteOf(this.mms[i], HUGE_AREA + leaf * PMD_PAGES);
    const head = ptePfn(pte);
    if (pteKind(pte) !== PteKind.DevicePrivate || !folios.isLarge(head)) return;
    this.run(this.device.evict(folios.headOf(head)));
  }

  check(): void {
    this.unpinAll();
    this.mms.forEach((mm, i) => {
      const cpu = new TestCpu(this.machine, mm);
      for (const base of [HUGE_AREA, TARGET])
        for (const at of PROBES) {
          const expected = this.model.load(i, base + at) ?? Errno.EFAULT;
          expect(this.run(cpu.load(base + at)), `process ${i}, page ${base - HUGE_AREA + at}`).toBe(expected);
        }
    });
    checkAccounting(this.machine.kernel, this.mms);
  }

  end(): void {
    for (const mm of this.mms) this.run(this.machine.calls.exit.mmput(mm));
    const { kernel } = this.machine;
    expect([kernel.ram.usedPages, this.device.vram.usedPages]).toEqual([kernel.zeroPages, 0]);
    expect([kernel.mms.size, kernel.anonVmas.size]).toEqual([0, 0]);
    expect(kernel.tables.freeTables).toBe(kernel.tables.totalTables);
  }
}

type Op = (world: World) => void;
interface Named {
  readonly name: string;
  readonly args: unknown;
  readonly op: Op;
}

/** Prints as its name and arguments in a counterexample. */
function named<T extends { who: number }>(
  name: string,
  args: fc.Arbitrary<T>,
  apply: (world: World, i: number, args: T) => void,
): fc.Arbitrary<Named> {
  const op =
    (values: T): Op =>
    (world) =>
      apply(world, values.who % world.mms.length, values);
  return args.map((values) => ({ name, args: values, op: op(values) }));
}

const who = fc.nat(PROCESSES_MAX - 1);
const span = fc
  .uniqueArray(fc.constantFrom(...CUTS), { minLength: 2, maxLength: 2 })
  .map(([a, b]) => ({ start: HUGE_AREA + Math.min(a, b), npages: Math.abs(a - b) }));
const prot = fc.constantFrom(Prot.None, Prot.Read, RW, RW);
const leaf = fc.nat(LEAVES - 1);
const probe = fc
  .tuple(fc.constantFrom(...PROBES), fc.constantFrom(HUGE_AREA, HUGE_AREA, TARGET))
  .map(([at, base]) => base + at);
const advice = fc.constantFrom(Madvise.HugePage, Madvise.HugePage, Madvise.NoHugePage);

const stores = named(
  'store',
  fc.record({ who, page: probe, value: fc.integer({ min: 1, max: 1e6 }) }),
  (w, i, { page, value }) => {
    const errno = w.run(new TestCpu(w.machine, w.mms[i]).store(page, value));
    expect(errno).toBe(w.model.store(i, page, value) ? Errno.OK : Errno.EFAULT);
  },
);

const operation: fc.Arbitrary<Named> = fc.oneof(
  named('mmap', fc.record({ who, span, prot }), (w, i, { span: { start, npages }, prot }) =>
    w.map(i, start, npages, prot),
  ),
  named('munmap', fc.record({ who, span }), (w, i, { span: { start, npages } }) => {
    w.loosen();
    expect(w.run(w.machine.calls.memoryMap.munmap(w.mms[i], vpn(start), npages))).toBe(Errno.OK);
    w.model.unmap(i, start, npages);
  }),
  named('mprotect', fc.record({ who, span, prot }), (w, i, { span: { start, npages }, prot }) => {
    const errno = w.run(w.machine.calls.mprotect.mprotect(w.mms[i], vpn(start), npages, prot));
    expect(errno).toBe(w.model.protect(i, start, npages, prot) ? Errno.OK : Errno.ENOMEM);
  }),
  named('discard', fc.record({ who, span }), (w, i, { span: { start, npages } }) => {
    w.loosen();
    const errno = w.advise(i, start, npages, Madvise.DontNeed);
    expect(errno).toBe(w.model.discard(i, start, npages) === 'done' ? Errno.OK : Errno.ENOMEM);
  }),
  named('advise', fc.record({ who, span, advice }), (w, i, { span: { start, npages }, advice }) => {
    w.advise(i, start, npages, advice);
  }),
  named('collapse', fc.record({ who, leaf }), (w, i, { leaf }) => {
    w.advise(i, HUGE_AREA + leaf * PMD_PAGES, PMD_PAGES, Madvise.Collapse);
  }),
  named(
    'mremap',
    fc.record({ who, span, shift: fc.constantFrom(0, 0, 1, 512) }),
    (w, i, { span: { start, npages }, shift }) => {
      w.move(i, start, npages, Math.min(start + PAGES + shift, TARGET + PAGES - npages));
    },
  ),
  named('move back', fc.record({ who, leaf }), (w, i, { leaf }) => {
    w.move(i, TARGET + leaf * PMD_PAGES, PMD_PAGES, HUGE_AREA + leaf * PMD_PAGES);
  }),
  stores,
  stores,
  stores,
  named('load', fc.record({ who, page: probe }), (w, i, { page }) => {
    const found = w.run(new TestCpu(w.machine, w.mms[i]).load(page));
    expect(found).toBe(w.model.load(i, page) ?? Errno.EFAULT);
  }),
  named('to the device', fc.record({ who, leaf, whole: fc.boolean() }), (w, i, { leaf, whole }) => {
    const start = HUGE_AREA + leaf * PMD_PAGES;
    w.run(w.device.toDevice(w.mms[i], whole ? MigrateSelect.Compound : 0, start));
  }),
  named('evict', fc.record({ who, leaf }), (w, i, { leaf }) => w.evict(i, leaf)),
  named('pin', fc.record({ who, page: probe, write: fc.boolean() }), (w, i, { page, write }) => {
    w.pin(i, page, GupFlag.Pin | (write ? GupFlag.Write : 0));
  }),
  named('unpin', fc.record({ who }), (w) => w.unpinAll()),
  named('fork', fc.record({ who }), (w, i) => w.fork(i)),
  named('exit', fc.record({ who }), (w, i) => w.exit(i)),
);

describe('huge and small pages', () => {
  it(
    'agree with a model of single pages, in content, permissions and accounts',
    () => {
      fc.assert(
        fc.property(
          fc.constantFrom(ThpMode.Madvise, ThpMode.Always),
          fc.array(operation, { minLength: 5, maxLength: 20 }),
          (thp, operations) => {
            const world = new World(thp);
            world.map(0, HUGE_AREA, PAGES, RW);
            world.advise(0, HUGE_AREA, PAGES, Madvise.HugePage);
            for (const { op } of operations) op(world);
            world.check();
            world.end();
          },
        ),
        { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 300,
  );
});
