/** Random sequences of memory calls against a naive model of what is mapped, what it allows, and what it holds. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, type Vpn, vpn } from '../../../src/base/units.js';
import { Madvise } from '../../../src/mm/area/madvise.js';
import { MapFlag, PROT_MASK, Prot } from '../../../src/mm/area/mmap.js';
import { MremapFlag } from '../../../src/mm/area/mremap.js';
import { forEachPte } from '../../../src/mm/mmCensus.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import {
  type Pte,
  PteBit,
  PteKind,
  pteHas,
  pteIsMapping,
  pteKind,
  ptePfn,
} from '../../../src/mm/table/pte.js';
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
  runAll,
  TestCpu,
  TestDevice,
} from '../harness.js';
import { AddressSpaceModel } from './addressSpaceModel.js';

/** Two page tables meet inside the window. */
const BASE = 2 ** 34 + 500;
const SPAN = 24;
const RW = Prot.Read | Prot.Write;

type Op =
  | {
      readonly op: 'map' | 'mapNoReplace' | 'protect';
      readonly at: number;
      readonly npages: number;
      readonly prot: number;
    }
  | { readonly op: 'unmap' | 'dontNeed'; readonly at: number; readonly npages: number }
  | { readonly op: 'store' | 'load' | 'toDevice'; readonly at: number }
  | {
      readonly op: 'remap';
      readonly at: number;
      readonly fromPages: number;
      readonly toPages: number;
      readonly flags: number;
      readonly target: number;
    };

const at = fc.nat(SPAN - 1).map((offset) => BASE + offset);
const npages = fc.integer({ min: 1, max: 8 });
const prot = fc.constantFrom(Prot.None, Prot.Read, RW, RW, RW);

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('map' as const), at, npages, prot }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('mapNoReplace' as const), at, npages, prot }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('protect' as const), at, npages, prot }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constantFrom('unmap' as const, 'dontNeed' as const), at, npages }),
  },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('store' as const), at }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('load' as const, 'toDevice' as const), at }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('remap' as const),
      at,
      fromPages: npages,
      toPages: npages,
      flags: fc.nat(7),
      target: fc.nat(2 * SPAN).map((offset) => BASE + offset),
    }),
  },
);

/** One run: the real address space, the model, and what a mirror of everything is told. */
class Run {
  readonly machine: Machine = makeMachine({ vramPages: [64], tables: 64, pagesPerStep: 2 });
  readonly mm: Mm = makeMm(this.machine.kernel);
  readonly model = new AddressSpaceModel();
  private readonly cpu = new TestCpu(this.machine, this.mm);
  private readonly device = new TestDevice(this.machine.kernel);
  private readonly mirror = new RecordingNotifier(this.machine.kernel, this.mm, 0, TASK_SIZE_PAGES);
  private nextValue = 1;

  apply(step: Op): void {
    const before = this.entries();
    this.mirror.take();
    this.dispatch(step);
    if (step.op !== 'toDevice') this.checkBrackets(before);
    this.checkAreas();
  }

  /** Reads everything back, then ends the address space: nothing may be left. */
  finish(): void {
    for (const page of this.model.pages.keys()) this.load(page);
    checkAccounting(this.machine.kernel, [this.mm]);
    const { kernel, calls } = this.machine;
    run(kernel, calls.exit.mmput(this.mm));
    run(kernel, this.mm.notifiers.remove(this.mirror.notifier));
    expect(kernel.ram.usedPages).toBe(1);
    expect(this.device.vram.usedPages).toBe(0);
    expect(kernel.tables.freeTables).toBe(kernel.tables.totalTables);
  }

  private dispatch(step: Op): void {
    const { at: page } = step;
    if (step.op === 'remap') this.remap(page, step.fromPages, step.toPages, step.flags, step.target);
    else if (step.op === 'map') this.map(page, step.npages, step.prot);
    else if (step.op === 'mapNoReplace') this.mapNoReplace(page, step.npages, step.prot);
    else if (step.op === 'unmap') this.unmap(page, step.npages);
    else if (step.op === 'protect') this.protect(page, step.npages, step.prot);
    else if (step.op === 'dontNeed') this.dontNeed(page, step.npages);
    else if (step.op === 'store') this.store(page);
    else if (step.op === 'load') this.load(page);
    else this.toDevice(page);
  }

  private map(start: number, count: number, allowed: number): void {
    const unmapped = this.model.isAnyMapped(start, count);
    this.call(this.mmap(start, count, allowed, MapFlag.Fixed), start);
    this.model.map(start, count, allowed);
    this.expectEvents(unmapped ? [`UNMAP ${start}+${count}`] : []);
  }

  private mapNoReplace(start: number, count: number, allowed: number): void {
    const taken = this.model.isAnyMapped(start, count);
    this.call(this.mmap(start, count, allowed, MapFlag.FixedNoReplace), taken ? Errno.EEXIST : start);
    if (!taken) this.model.map(start, count, allowed);
    this.expectEvents([]);
  }

  private mmap(start: number, count: number, allowed: number, flags: number): Steps<number> {
    const args = { hint: vpn(start), npages: count, prot: allowed, flags };
    return this.machine.calls.memoryMap.mmap(this.mm, args);
  }

  private unmap(start: number, count: number): void {
    const unmapped = this.model.isAnyMapped(start, count);
    this.call(this.machine.calls.memoryMap.munmap(this.mm, vpn(start), count), Errno.OK);
    this.model.unmap(start, count);
    this.expectEvents(unmapped ? [`UNMAP ${start}+${count}`] : []);
  }

  private protect(start: number, count: number, allowed: number): void {
    const expected = this.model.protect(start, count, allowed);
    this.call(this.machine.calls.mprotect.mprotect(this.mm, vpn(start), count, allowed), expected);
  }

  private dontNeed(start: number, count: number): void {
    const spans = this.areaSpans(start, start + count);
    const expected = this.model.dontNeed(start, count);
    this.call(this.machine.calls.madvise.madvise(this.mm, vpn(start), count, Madvise.DontNeed), expected);
    this.expectEvents(spans.map(([from, to]) => `CLEAR ${from}+${to - from}`));
  }

  private store(page: number): void {
    const value = this.nextValue++;
    this.call(this.cpu.store(page, value), this.model.store(page, value));
  }

  private load(page: number): void {
    this.call(this.cpu.load(page), this.model.load(page));
  }

  /** What the CPU sees must not depend on where the page lives. */
  private toDevice(page: number): void {
    const pte = pteOf(this.mm, page);
    const isPage = pteKind(pte) === PteKind.Present && ptePfn(pte) !== this.machine.kernel.zeroPage;
    if (isPage && !pteHas(pte, PteBit.ProtNone)) this.device.takePage(this.mm, page);
  }

  private remap(from: number, fromPages: number, toPages: number, flags: number, target: number): void {
    const args = { from: vpn(from), fromPages, toPages, flags, target: vpn(target) };
    const expected = this.expectRemap(from, fromPages, toPages, flags, target);
    const isFixed = (flags & MremapFlag.Fixed) !== 0;
    const targetWasMapped = this.model.isAnyMapped(target, toPages);
    const result = run(this.machine.kernel, this.machine.calls.mremap.mremap(this.mm, args));
    if (expected !== 'moved') {
      expect(result).toBe(expected);
      if (result >= 0) this.resize(from, fromPages, toPages);
      else if (expected === Errno.EFAULT) this.unmapBeforeFailure(from, fromPages, toPages, flags, target);
      return;
    }
    expect(result).toBeGreaterThanOrEqual(0);
    if (isFixed) expect(result).toBe(target);
    else expect(this.model.isAnyMapped(result, toPages)).toBe(false);
    this.model.unmap(result, toPages);
    this.model.move(from, fromPages, result, toPages, (flags & MremapFlag.DontUnmap) !== 0);
    const told = this.mirror.seen.map(({ event, start, npages: count }) => ({
      event,
      start,
      end: start + count,
    }));
    expect(told.every(({ event }) => event === 'UNMAP')).toBe(true);
    const inside = (start: number, end: number, lo: number, hi: number): boolean => lo <= start && end <= hi;
    for (const { start, end } of told) {
      const ofOld = inside(start, end, from, from + fromPages);
      expect(ofOld || (isFixed && targetWasMapped && inside(start, end, target, target + toPages))).toBe(
        true,
      );
    }
  }

  /** The target and what a shrink cuts off go before the pages that are kept are found to lie in several areas. */
  private unmapBeforeFailure(
    from: number,
    fromPages: number,
    toPages: number,
    flags: number,
    target: number,
  ): void {
    const isFixed = (flags & MremapFlag.Fixed) !== 0;
    if (!isFixed || !this.model.pages.has(from)) return;
    this.model.unmap(target, toPages);
    if (fromPages > toPages) this.model.unmap(from + toPages, fromPages - toPages);
  }

  private resize(from: number, fromPages: number, toPages: number): void {
    const allowed = this.model.pages.get(from)?.prot ?? 0;
    if (toPages < fromPages) this.model.unmap(from + toPages, fromPages - toPages);
    else this.model.map(from + fromPages, toPages - fromPages, allowed);
  }

  /** The errno, or the address if the area stays where it is, or that it moves. Areas are those of the real address space. */
  private expectRemap(
    from: number,
    fromPages: number,
    toPages: number,
    flags: number,
    target: number,
  ): number | 'moved' {
    const mayMove = (flags & MremapFlag.MayMove) !== 0;
    const isFixed = (flags & MremapFlag.Fixed) !== 0;
    const dontUnmap = (flags & MremapFlag.DontUnmap) !== 0;
    if ((isFixed && !mayMove) || (dontUnmap && (!mayMove || fromPages !== toPages))) return Errno.EINVAL;
    const area = this.mm.vmas.find(vpn(from));
    if (area === null) return Errno.EFAULT;
    const overlaps = from < target + toPages && target < from + fromPages;
    if ((isFixed || dontUnmap) && overlaps) return Errno.EINVAL;
    if (!isFixed && !dontUnmap && fromPages >= toPages) return from;
    if (Math.min(fromPages, toPages) > area.end - from) return Errno.EFAULT;
    if (isFixed || dontUnmap) return 'moved';
    const canGrow = from + fromPages === area.end && !this.model.isAnyMapped(area.end, toPages - fromPages);
    if (canGrow) return from;
    return mayMove ? 'moved' : Errno.ENOMEM;
  }

  private call(steps: Steps<number>, expected: number): void {
    expect(run(this.machine.kernel, steps)).toBe(expected);
  }

  private expectEvents(expected: string[]): void {
    expect(this.mirror.seen.map(({ event, start, npages: count }) => `${event} ${start}+${count}`)).toEqual(
      expected,
    );
  }

  /** The parts of areas that lie in a range. */
  private areaSpans(start: number, end: number): [number, number][] {
    const spans: [number, number][] = [];
    for (const area of this.mm.vmas) {
      if (area.start < end && area.end > start)
        spans.push([Math.max(area.start, start), Math.min(area.end, end)]);
    }
    return spans;
  }

  /** The areas cover exactly the model's pages, with its protection, and no two of them could be one but for their anon_vmas. */
  private checkAreas(): void {
    expect(this.mm.vmas.pages).toBe(this.model.pages.size);
    for (const [page, held] of this.model.pages) {
      const area = this.mm.vmas.find(vpn(page));
      expect([page, area === null ? -1 : area.flags & PROT_MASK]).toEqual([page, held.prot]);
    }
  }

  private entries(): Map<Vpn, Pte> {
    const entries = new Map<Vpn, Pte>();
    forEachPte(this.mm, (page, pte) => entries.set(page, pte));
    return entries;
  }

  /** Whatever lost rights or changed its page did so inside an invalidation that covers it. */
  private checkBrackets(before: ReadonlyMap<Vpn, Pte>): void {
    for (const [page, old] of before) {
      const now = pteOf(this.mm, page);
      if (!pteIsMapping(old) || keepsRights(old, now) || pteKind(old) === PteKind.DevicePrivate) continue;
      const covered = this.mirror.seen.some(
        ({ start, npages: count }) => start <= page && page < start + count,
      );
      expect([page, covered]).toEqual([page, true]);
    }
  }
}

function keepsRights(old: Pte, now: Pte): boolean {
  const samePage = pteKind(now) === pteKind(old) && ptePfn(now) === ptePfn(old);
  const lostWrite = pteHas(old, PteBit.Write) && !pteHas(now, PteBit.Write);
  const lostAll = !pteHas(old, PteBit.ProtNone) && pteHas(now, PteBit.ProtNone);
  return samePage && !lostWrite && !lostAll;
}

describe('memory calls', () => {
  it('do what the model does, tell mirrors what they must, and leave nothing behind', () => {
    fc.assert(
      fc.property(fc.array(op, { minLength: 1, maxLength: 40 }), (ops) => {
        const one = new Run();
        for (const step of ops) one.apply(step);
        one.finish();
      }),
      { numRuns: 150, seed: 20250101 },
    );
  });
});

describe('memory calls of several threads', () => {
  /** Pages that a thread stores to while others work around them. */
  const OWN = [2, 5, 9];

  function* storesAndLoads(cpu: TestCpu, offset: number, rounds: number): Steps<void> {
    let last = 0;
    for (let i = 1; i <= rounds; i++) {
      const value = offset * 1000 + i;
      if ((yield* cpu.store(BASE + offset, value)) === Errno.OK) last = value;
      const seen = yield* cpu.load(BASE + offset);
      expect(seen).toBe(last);
    }
  }

  function* disturb({ kernel, calls }: Machine, mm: Mm, device: TestDevice, rounds: number): Steps<void> {
    for (let i = 0; i < rounds; i++) {
      yield* calls.mprotect.mprotect(mm, vpn(BASE), 12, i % 2 === 0 ? Prot.Read : RW);
      yield* calls.madvise.madvise(mm, vpn(BASE + 3), 2, Madvise.DontNeed);
      yield* calls.memoryMap.munmap(mm, vpn(BASE + 6), 3);
      yield* calls.memoryMap.mmap(mm, { hint: vpn(BASE + 6), npages: 3, prot: RW, flags: MapFlag.Fixed });
      yield* kernel.sched.sleep(1);
      const pte = pteOf(mm, BASE + OWN[i % OWN.length]);
      const isPage = pteKind(pte) === PteKind.Present && ptePfn(pte) !== kernel.zeroPage;
      if (isPage && !kernel.folios.isLocked(ptePfn(pte))) device.takePage(mm, BASE + OWN[i % OWN.length]);
    }
  }

  it('lose no store, whatever the schedule', () => {
    for (let seed = 1; seed <= 25; seed++) {
      const machine = makeMachine({ seed, vramPages: [16], cpuThreads: OWN.length, pagesPerStep: 1 });
      const mm = makeMm(machine.kernel);
      const device = new TestDevice(machine.kernel);
      mapFixed(machine, mm, BASE, 12);
      const threads = OWN.map((offset, i) => storesAndLoads(new TestCpu(machine, mm, i), offset, 12));
      runAll<void>(machine.kernel, [...threads, disturb(machine, mm, device, 12)]);
      checkAccounting(machine.kernel, [mm]);
    }
  });

  it('end in a consistent address space when anything races with anything', () => {
    const threadsOfOps = fc.array(fc.array(op, { minLength: 1, maxLength: 12 }), {
      minLength: 2,
      maxLength: 4,
    });
    fc.assert(
      fc.property(threadsOfOps, fc.nat(1000), (threads, seed) => {
        const machine = makeMachine({ seed, cpuThreads: threads.length, tables: 64, pagesPerStep: 1 });
        const { kernel, calls } = machine;
        const mm = makeMm(kernel);
        mapFixed(machine, mm, BASE, SPAN);
        runAll<void>(
          kernel,
          threads.map((ops, i) => racing(machine, mm, new TestCpu(machine, mm, i), ops)),
        );
        checkAccounting(kernel, [mm]);
        run(kernel, calls.exit.mmput(mm));
        expect(kernel.ram.usedPages).toBe(1);
        expect(kernel.tables.freeTables).toBe(kernel.tables.totalTables);
      }),
      { numRuns: 150, seed: 20250101 },
    );
  });

  function* racing({ calls }: Machine, mm: Mm, cpu: TestCpu, ops: readonly Op[]): Steps<void> {
    for (const step of ops) {
      switch (step.op) {
        case 'map':
        case 'mapNoReplace': {
          const flags = step.op === 'map' ? MapFlag.Fixed : MapFlag.FixedNoReplace;
          yield* calls.memoryMap.mmap(mm, {
            hint: vpn(step.at),
            npages: step.npages,
            prot: step.prot,
            flags,
          });
          break;
        }
        case 'protect':
          yield* calls.mprotect.mprotect(mm, vpn(step.at), step.npages, step.prot);
          break;
        case 'unmap':
          yield* calls.memoryMap.munmap(mm, vpn(step.at), step.npages);
          break;
        case 'dontNeed':
          yield* calls.madvise.madvise(mm, vpn(step.at), step.npages, Madvise.DontNeed);
          break;
        case 'remap':
          yield* calls.mremap.mremap(mm, { ...step, from: vpn(step.at), target: vpn(step.target) });
          break;
        case 'store':
          yield* cpu.store(step.at, step.at);
          break;
        default:
          yield* cpu.load(step.at);
      }
    }
  }
});
