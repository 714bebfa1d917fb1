/** What a VM knows of objects against a model that counts; frees that are put off; memory that runs short. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { ADDRESS_PAGES } from '../../../src/drm/gpuvm/addressRange.js';
import { GemObject } from '../../../src/drm/gpuvm/gemObject.js';
import { GpuVa } from '../../../src/drm/gpuvm/gpuVa.js';
import { GpuVm } from '../../../src/drm/gpuvm/gpuVm.js';
import { GpuVmBo } from '../../../src/drm/gpuvm/gpuVmBo.js';
import { GpuVmFlag, type OpMemoryKind } from '../../../src/drm/gpuvm/gpuVmOps.js';
import { LockClass } from '../../../src/sim/lockOrder.js';
import { Mutex } from '../../../src/sim/mutex.js';
import type { Steps } from '../../../src/sim/steps.js';
import { Bench } from '../../sim/harness.js';
import { elsewhere, GemObjects, newVm, showAll } from './gemObjects.js';

const listLockClass = new LockClass('test gpuva list lock');

const request = fc.record({
  kind: fc.constantFrom('link' as const, 'unlink' as const, 'evict' as const, 'restore' as const),
  obj: fc.nat(3),
  at: fc.nat(9),
});

describe('objects of a VM', () => {
  it('are known exactly while a mapping is linked, external where they are, evicted where they were said to be', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const vm = newVm(10);
        const objects = [0, 1, 2, 3].map((i) => new GemObject(`bo${i}`, 1, i < 2 ? vm.resv : elsewhere));
        const linked = new Map<number, GpuVa>();
        const evicted: GemObject[] = [];
        for (const { kind, obj: i, at } of requests) {
          const obj = objects[i];
          const known = vm.findBo(obj);
          const va = linked.get(at);
          if (kind === 'link' && va === undefined) {
            const made = new GpuVa({ start: at, end: at + 1, obj, offset: 0 });
            vm.map(made);
            const vmBo = vm.obtainBo(obj);
            vm.link(made, vmBo);
            vm.extobjAdd(vmBo);
            vmBo.put();
            linked.set(at, made);
          } else if (kind === 'unlink' && va !== undefined) {
            vm.unlink(va);
            vm.remove(va);
            linked.delete(at);
          } else if (kind === 'evict' && known !== null) {
            vm.setEvicted(known, true);
            if (!evicted.includes(obj)) evicted.push(obj);
          } else if (kind === 'restore' && known !== null) {
            vm.setEvicted(known, false);
            if (evicted.includes(obj)) evicted.splice(evicted.indexOf(obj), 1);
          }
          const users = objects.map(
            (one) => [...linked.values()].filter((other) => other.obj === one).length,
          );
          for (const one of [...evicted]) {
            if (users[objects.indexOf(one)] === 0) evicted.splice(evicted.indexOf(one), 1);
          }
          expect(objects.map((one) => vm.findBo(one)?.refCount ?? 0)).toEqual(users);
          expect(objects.map((one) => one.refCount)).toEqual(users.map((count) => (count > 0 ? 2 : 1)));
          expect(new Set(vm.externalBos.map((bo) => bo.obj))).toEqual(
            new Set(objects.filter((_, n) => n >= 2 && users[n] > 0)),
          );
          expect(vm.evictedBos.map((bo) => bo.obj)).toEqual(evicted);
          expect(vm.refCount).toBe(1 + linked.size + users.filter((count) => count > 0).length);
        }
      }),
      { numRuns: 150, seed: 11 },
    );
  });

  it('are obtained without allocating: the one that is there wins, and the other is thrown away', () => {
    const freed: GpuVmBo[] = [];
    const vm = newVm(10, { ops: { vmBoFree: (vmBo) => freed.push(vmBo) } });
    const obj = new GemObject('a', 1, elsewhere);
    const [first, second] = [new GpuVmBo(vm, obj), new GpuVmBo(vm, obj)];
    expect(vm.obtainBoPrealloc(first)).toBe(first);
    expect(vm.obtainBoPrealloc(second)).toBe(first);
    expect([freed, first.refCount, obj.refCount]).toEqual([[second], 2, 2]);
  });

  it('cannot be had when there is no memory', () => {
    const vm = newVm(10, { ops: { vmBoAlloc: () => null } });
    expect(vm.tryObtainBo(new GemObject('a', 1, elsewhere))).toBeNull();
  });
});

describe('deferred frees', () => {
  class Deferring {
    readonly bench: Bench;
    readonly vm: GpuVm;
    readonly obj: GemObject;
    freed = 0;

    constructor(seed: number) {
      this.bench = new Bench(seed);
      this.vm = newVm(10, { flags: GpuVmFlag.ImmediateMode, ops: { vmBoFree: () => this.freed++ } });
      this.obj = new GemObject('a', 10, elsewhere);
      this.obj.gpuvaLock = new Mutex(this.bench.sched, 'gpuva lock', listLockClass);
    }

    *map(start: number): Steps<GpuVa> {
      const va = new GpuVa({ start, end: start + 1, obj: this.obj, offset: 0 });
      yield* this.obj.gpuvaLock?.lock() ?? [];
      this.vm.map(va);
      const vmBo = this.vm.obtainBo(this.obj);
      this.vm.link(va, vmBo);
      this.obj.gpuvaLock?.unlock();
      yield* vmBo.putDeferred();
      return va;
    }

    *unmap(va: GpuVa): Steps<void> {
      yield* this.vm.unlinkDefer(va);
      this.vm.remove(va);
    }
  }

  it('free nothing in the path of fences, find nothing that is gone, and leave nothing to the end of the VM', () => {
    for (let seed = 0; seed < 60; seed++) {
      const w = new Deferring(seed);
      const mapAndUnmap = function* (start: number): Steps<void> {
        for (let round = 0; round < 3; round++) {
          const va = yield* w.map(start);
          yield* w.bench.steps(1);
          const before = w.freed;
          yield* w.unmap(va);
          expect(w.freed).toBe(before);
        }
      };
      w.bench.run(mapAndUnmap(0), mapAndUnmap(1), mapAndUnmap(2));
      const waiting = w.vm.deferredBos.length;
      expect(waiting).toBeGreaterThan(0);
      expect([w.vm.allBos, w.obj.vmBos.size, w.obj.refCount]).toEqual([[], 0, 1 + waiting]);
      w.bench.run(w.vm.deferredCleanup());
      expect([w.freed, w.obj.refCount, w.vm.refCount]).toEqual([waiting, 1, 1]);
      w.vm.put();
    }
  });

  it('keep the VM: it is freed when they are done', () => {
    const w = new Deferring(1);
    w.bench.run(
      (function* (): Steps<void> {
        yield* w.unmap(yield* w.map(0));
      })(),
    );
    w.vm.put();
    expect(w.vm.refCount).toBe(1);
    w.bench.run(w.vm.deferredCleanup());
    expect(w.vm.refCount).toBe(0);
  });
});

describe('lists of steps', () => {
  it.each(['map', 'unmap', 'prefetch'] as const)(
    'of %s leave nothing behind whichever allocation fails',
    (kind) => {
      const live: Record<OpMemoryKind, number> = { list: 0, op: 0, unmap: 0, prev: 0, next: 0 };
      let asked = 0;
      let failing = 0;
      const opAlloc = (part: OpMemoryKind): boolean => {
        asked++;
        if (asked === failing) return false;
        live[part]++;
        return true;
      };
      const vm = newVm(100, { ops: { opAlloc, opFree: (part) => live[part]-- } });
      const objects = new GemObjects();
      vm.insert(new GpuVa(objects.place(0, 20, 'a', 0)));
      vm.insert(new GpuVa(objects.place(20, 30, 'b', 0)));
      vm.insert(new GpuVa(objects.place(30, 40, 'c', 0)));
      const before = showAll(vm);
      const { splitMerge } = vm;
      const create = {
        map: () => splitMerge.smMapOpsCreate(objects.place(5, 15, 'c', 0)),
        unmap: () => splitMerge.smUnmapOpsCreate(5, 35),
        prefetch: () => splitMerge.prefetchOpsCreate(0, 40),
      }[kind];
      const whole = create();
      if (typeof whole === 'number') throw new Error('refused');
      const needed = asked;
      whole.free();
      expect(() => whole.free()).toThrow(AssertionFailure);
      for (failing = 1; failing <= needed; failing++) {
        asked = 0;
        expect(create()).toBe(Errno.ENOMEM);
        expect(Object.values(live)).toEqual([0, 0, 0, 0, 0]);
        expect(splitMerge.memory.live).toBe(0);
      }
      expect([needed > 3, showAll(vm)]).toEqual([true, before]);
    },
  );

  it('are not needed where the driver has callbacks, which end a request with their error', () => {
    const seen: string[] = [];
    const step = (op: { op: string }): Errno => {
      seen.push(op.op);
      return seen.length === 3 ? Errno.EIO : Errno.OK;
    };
    const steps = { smStepMap: step, smStepRemap: step, smStepUnmap: step };
    const vm = newVm(100, { ops: { steps } });
    const objects = new GemObjects();
    vm.insert(new GpuVa(objects.place(0, 20, 'a', 0)));
    expect(vm.splitMerge.smMap(objects.place(5, 15, 'b', 0))).toBe(Errno.OK);
    expect(vm.splitMerge.smUnmap(0, 50)).toBe(Errno.EIO);
    expect(seen).toEqual(['remap', 'map', 'unmap']);
    expect(newVm().splitMerge.smMap(objects.place(5, 15, 'b', 0))).toBe(Errno.EINVAL);
  });
});

describe('the addresses of a VM', () => {
  it('reach to the end of 64 bits, whose last page has no end', () => {
    const vm = new GpuVm('all', { start: 0, end: ADDRESS_PAGES }, { resvObject: newVm().resvObject });
    const top = ADDRESS_PAGES;
    const map = (start: number, end: number): Errno =>
      vm.insert(new GpuVa({ start, end, obj: null, offset: 0 }));
    expect(map(top - 2, top - 1)).toBe(Errno.OK);
    expect(map(top - 1, top)).toBe(Errno.EINVAL);
    expect(map(top - 1, top + 5)).toBe(Errno.EINVAL);
    expect(vm.findFirst(0, top - 1)?.start).toBe(top - 2);
    expect(vm.findPrev(top - 1)?.start).toBe(top - 2);
    expect(vm.findNext(top - 2)?.start).toBe(top - 2);
    expect(vm.splitMerge.smUnmapOpsCreate(1, top)).toBe(Errno.EINVAL);
  });

  it('have a part for the driver itself, a mapping that walks see and nobody removes', () => {
    const vm = newVm(100, { reserved: { start: 40, end: 60 } });
    expect([vm.size, [...vm].length, vm.intervalEmpty(50, 51)]).toEqual([0, 1, false]);
    const node = vm.findFirst(0, 100);
    expect(node).toBe(vm.kernelAllocNode);
    expect(() => node !== null && vm.remove(node)).toThrow(AssertionFailure);
    expect(vm.insert(new GpuVa({ start: 59, end: 61, obj: null, offset: 0 }))).toBe(Errno.EINVAL);
    vm.put();
    expect(vm.refCount).toBe(0);
  });

  it('are kept by mappings: the VM is freed with the last one, and tells its driver', () => {
    let freed = 0;
    const vm = newVm(100, { ops: { vmFree: () => freed++ } });
    const va = new GpuVa({ start: 0, end: 1, obj: null, offset: 0 });
    vm.insert(va);
    vm.put();
    expect(freed).toBe(0);
    vm.remove(va);
    expect(freed).toBe(1);
    expect(() => vm.get()).toThrow(AssertionFailure);
  });

  it('are searched as an array of pages would be', () => {
    const span = fc.record({ start: fc.nat(40), length: fc.integer({ min: 1, max: 9 }) });
    fc.assert(
      fc.property(
        fc.array(span, { maxLength: 30 }),
        fc.array(span, { minLength: 5, maxLength: 5 }),
        (spans, probes) => {
          const vm = newVm(50);
          const pages: (GpuVa | null)[] = new Array(60).fill(null);
          for (const { start, length } of spans) {
            const va = new GpuVa({ start, end: start + length, obj: null, offset: 0 });
            const free = pages.slice(start, start + length).every((page) => page === null);
            expect(vm.insert(va)).toBe(free ? Errno.OK : Errno.EEXIST);
            if (free) pages.fill(va, start, start + length);
          }
          const starting = (page: number): GpuVa | null => (pages[page]?.start === page ? pages[page] : null);
          const ending = (page: number): GpuVa | null =>
            pages[page - 1]?.end === page ? pages[page - 1] : null;
          for (const { start, length } of probes) {
            const end = start + length;
            const there = pages.slice(start, end).filter((page) => page !== null);
            expect(vm.findFirst(start, end)).toBe(there[0] ?? null);
            expect([...vm.overlapping(start, end)]).toEqual([...new Set(there)]);
            expect(vm.intervalEmpty(start, end)).toBe(there.length === 0);
            expect(vm.find(start, end)).toBe(starting(start)?.end === end ? starting(start) : null);
            expect(vm.findPrev(start)).toBe(ending(start));
            expect(vm.findNext(end)).toBe(starting(end));
          }
        },
      ),
      { numRuns: 150, seed: 5 },
    );
  });
});
