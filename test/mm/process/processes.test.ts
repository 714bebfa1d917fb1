/** Random sequences of memory calls of up to three processes do to content and permissions what a model without any sharing says. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { vpn } from '../../../src/base/units.js';
import { NO_PFN, type Pfn } from '../../../src/memory/pfn.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { pagemapOwner } from '../../../src/mm/migrate/devPagemap.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import type { Steps } from '../../../src/sim/steps.js';
import { checkAccounting, type Machine, makeMachine, makeMm, run, TestCpu } from '../harness.js';
import { MigratingDevice } from '../migrate/migratingDevice.js';
import { ProcessModel } from './processModel.js';

/** A nightly run asks for more. */
const RUNS = Number(process.env.SVMSIM_PROPERTY_RUNS ?? 300);

const BASE = 2 ** 34;
const PAGES = 12;
const PROCESSES_MAX = 3;

class World {
  readonly machine: Machine = makeMachine({ vramPages: [32], ramPages: 512, tables: 512, pagesPerStep: 512 });
  readonly device = new MigratingDevice(this.machine.kernel);
  readonly model = new ProcessModel();
  readonly mms: Mm[] = [makeMm(this.machine.kernel, 1)];
  private nextId = 2;

  run<T>(steps: Steps<T>): T {
    return run(this.machine.kernel, steps);
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
    const [mm] = this.mms.splice(which, 1);
    this.run(this.machine.calls.exit.mmput(mm));
    this.model.exit(which);
  }

  /** As a driver does that uses the pages and lets go. */
  lend(of: number, start: number, npages: number): void {
    const { kernel, calls } = this.machine;
    const mm = this.mms[of];
    const steps = function* (): Steps<void> {
      const pages = new Uint32Array(npages);
      yield* mm.mmapLock.read();
      yield* calls.exclusive.makeRange(mm, vpn(start), vpn(start + npages), pages, pagemapOwner(1));
      mm.mmapLock.readUnlock();
      for (const pfn of pages) {
        if (pfn === NO_PFN) continue;
        kernel.folioLocks.unlock(pfn as Pfn);
        kernel.folios.put(pfn as Pfn);
      }
    };
    this.run(steps());
  }

  /** Every page of every process, permissions included: a store of what is there already must succeed exactly where it may. */
  check(): void {
    this.mms.forEach((mm, i) => {
      const cpu = new TestCpu(this.machine, mm);
      for (let page = BASE; page < BASE + 2 * PAGES; page++) {
        const expected = this.model.load(i, page);
        expect(this.run(cpu.load(page))).toBe(expected ?? Errno.EFAULT);
      }
    });
    checkAccounting(this.machine.kernel, this.mms);
  }

  end(): void {
    for (const mm of this.mms) this.run(this.machine.calls.exit.mmput(mm));
    const { kernel } = this.machine;
    expect([kernel.ram.usedPages, this.device.vram.usedPages]).toEqual([1, 0]);
    expect([kernel.mms.size, kernel.anonVmas.size]).toEqual([0, 0]);
    expect(kernel.tables.freeTables).toBe(kernel.tables.totalTables);
  }
}

type Op = (world: World) => void;

const who = fc.nat(PROCESSES_MAX - 1);
const span = fc
  .tuple(fc.nat(PAGES - 1), fc.integer({ min: 1, max: 6 }))
  .map(([at, n]) => ({ start: BASE + at, npages: Math.min(n, PAGES - at) }));
const prot = fc.constantFrom(Prot.None, Prot.Read, Prot.Read | Prot.Write, Prot.Read | Prot.Write);

const operation: fc.Arbitrary<{ name: string; args: unknown; op: Op }> = fc.oneof(
  named('mmap', fc.record({ who, span, prot }), (w, { who, span: { start, npages }, prot }) => {
    const i = who % w.mms.length;
    const args = { hint: vpn(start), npages, prot, flags: MapFlag.Fixed };
    expect(w.run(w.machine.calls.memoryMap.mmap(w.mms[i], args))).toBe(start);
    w.model.map(i, start, npages, prot);
  }),
  named('munmap', fc.record({ who, span }), (w, { who, span: { start, npages } }) => {
    const i = who % w.mms.length;
    expect(w.run(w.machine.calls.memoryMap.munmap(w.mms[i], vpn(start), npages))).toBe(Errno.OK);
    w.model.unmap(i, start, npages);
  }),
  named('mprotect', fc.record({ who, span, prot }), (w, { who, span: { start, npages }, prot }) => {
    const i = who % w.mms.length;
    const errno = w.run(w.machine.calls.mprotect.mprotect(w.mms[i], vpn(start), npages, prot));
    expect(errno).toBe(w.model.protect(i, start, npages, prot) ? Errno.OK : Errno.ENOMEM);
  }),
  named('discard', fc.record({ who, span }), (w, { who, span: { start, npages } }) => {
    const i = who % w.mms.length;
    const errno = w.run(w.machine.calls.madvise.madvise(w.mms[i], vpn(start), npages, Madvise.DontNeed));
    expect(errno).toBe(w.model.discard(i, start, npages) ? Errno.OK : Errno.ENOMEM);
  }),
  named('mremap', fc.record({ who, at: fc.nat(PAGES - 1), to: fc.nat(PAGES - 1) }), (w, { who, at, to }) => {
    const i = who % w.mms.length;
    const [from, target] = [BASE + at, BASE + PAGES + to];
    const flags = MremapFlag.MayMove | MremapFlag.Fixed;
    const args = { from: vpn(from), fromPages: 1, toPages: 1, flags, target: vpn(target) };
    const moved = w.run(w.machine.calls.mremap.mremap(w.mms[i], args));
    if (moved === target) w.model.move(i, from, target, 1);
    else expect(w.model.processes[i].has(from)).toBe(false);
    // A source that is not there is found out after the target was unmapped.
    if (moved !== target && w.mms[i].vmas.find(vpn(target)) === null) w.model.unmap(i, target, 1);
  }),
  named(
    'store',
    fc.record({ who, page: fc.nat(2 * PAGES - 1), value: fc.integer({ min: 1, max: 1e6 }) }),
    (w, { who, page, value }) => {
      const i = who % w.mms.length;
      const errno = w.run(new TestCpu(w.machine, w.mms[i]).store(BASE + page, value));
      expect(errno).toBe(w.model.store(i, BASE + page, value) ? Errno.OK : Errno.EFAULT);
    },
  ),
  named('load', fc.record({ who, page: fc.nat(2 * PAGES - 1) }), (w, { who, page }) => {
    const i = who % w.mms.length;
    const found = w.run(new TestCpu(w.machine, w.mms[i]).load(BASE + page));
    expect(found).toBe(w.model.load(i, BASE + page) ?? Errno.EFAULT);
  }),
  named('to the device', fc.record({ who, page: fc.nat(2 * PAGES - 1) }), (w, { who, page }) => {
    w.run(w.device.take(w.mms[who % w.mms.length], BASE + page, 1));
  }),
  named('lend', fc.record({ who, span }), (w, { who, span: { start, npages } }) => {
    w.lend(who % w.mms.length, start, npages);
  }),
  named('fork', fc.record({ who }), (w, { who }) => w.fork(who % w.mms.length)),
  named('exit', fc.record({ who }), (w, { who }) => w.exit(who % w.mms.length)),
);

/** Prints as its name and arguments in a counterexample. */
function named<T>(
  name: string,
  args: fc.Arbitrary<T>,
  apply: (world: World, args: T) => void,
): fc.Arbitrary<{ name: string; args: unknown; op: Op }> {
  return args.map((values) => ({ name, args: values, op: (world: World) => apply(world, values) }));
}

describe('several processes', () => {
  it(
    'agree with a model without sharing, in content, permissions and accounts',
    () => {
      fc.assert(
        fc.property(fc.array(operation, { minLength: 5, maxLength: 40 }), (operations) => {
          const world = new World();
          world.model.map(0, BASE, PAGES, Prot.Read | Prot.Write);
          const rw = { hint: vpn(BASE), npages: PAGES, prot: Prot.Read | Prot.Write, flags: MapFlag.Fixed };
          world.run(world.machine.calls.memoryMap.mmap(world.mms[0], rw));
          for (const { op } of operations) {
            op(world);
            checkAccounting(world.machine.kernel, world.mms);
          }
          world.check();
          world.end();
        }),
        { numRuns: RUNS },
      );
    },
    60_000 + RUNS * 200,
  );
});
