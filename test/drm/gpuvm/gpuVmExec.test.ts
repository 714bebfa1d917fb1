/** What a submission locks, brings back and leaves its fence with. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { DmaFence } from '../../../src/drm/dmaFence.js';
import { DmaResv, DmaResvUsage } from '../../../src/drm/exec/dmaResv.js';
import { applyOps } from '../../../src/drm/gpuvm/applyOps.js';
import { GemObject } from '../../../src/drm/gpuvm/gemObject.js';
import { GpuVm, resvObjectAlloc } from '../../../src/drm/gpuvm/gpuVm.js';
import { GpuVmExec } from '../../../src/drm/gpuvm/gpuVmExec.js';
import { GpuVmFlag, type GpuVmOps } from '../../../src/drm/gpuvm/gpuVmOps.js';
import type { Steps } from '../../../src/sim/steps.js';
import { Bench } from '../../sim/harness.js';
import { listed, plainVa } from './gemObjects.js';

class World {
  readonly bench = new Bench();
  readonly vm: GpuVm;
  readonly own: GemObject;
  readonly foreign: GemObject;
  readonly unmapped: GemObject;
  readonly validated: string[] = [];
  fail: Errno = Errno.OK;

  constructor(flags = 0, validates = true) {
    const resv = new DmaResv(this.bench.sched, 'vm');
    const ops: GpuVmOps = validates ? { vmBoValidate: (vmBo) => this.validate(vmBo.obj) } : {};
    const resvObject = resvObjectAlloc(resv);
    this.vm = new GpuVm('vm', { start: 0, end: 100 }, { flags, resvObject, ops });
    const object = (name: string): GemObject => new GemObject(name, 10, new DmaResv(this.bench.sched, name));
    this.own = new GemObject('own', 10, resv);
    [this.foreign, this.unmapped] = [object('foreign'), object('unmapped')];
  }

  *validate(obj: GemObject): Steps<Errno> {
    yield* this.bench.steps(1);
    if (this.fail !== Errno.OK) return this.fail;
    this.validated.push(obj.name);
    const vmBo = this.vm.findBo(obj);
    if (vmBo !== null) this.vm.setEvicted(vmBo, false);
    return Errno.OK;
  }

  *map(obj: GemObject, start: number): Steps<void> {
    const exec = new GpuVmExec(this.vm);
    const place = { start, end: start + 10, obj, offset: 0 };
    yield* exec.lockArray([obj]);
    applyOps(this.vm, listed(this.vm.splitMerge.smMapOpsCreate(place)), plainVa);
    exec.unlock();
  }

  *evict(obj: GemObject): Steps<void> {
    const exec = new GpuVmExec(this.vm);
    yield* exec.exec.lockObj(obj);
    GpuVm.evictEverywhere(obj, true);
    exec.unlock();
  }

  held(...objects: GemObject[]): boolean[] {
    return objects.map(({ resv }) => resv instanceof DmaResv && resv.isHeld);
  }
}

describe.each([
  ['lists with a lock of their own', 0],
  ["lists under the VM's reservation", GpuVmFlag.ResvProtected],
])('GpuVmExec, %s', (_, flags) => {
  it('locks the VM and every external object, and not what is not mapped', () => {
    const w = new World(flags);
    w.bench.run(
      (function* (): Steps<void> {
        for (const [i, obj] of [w.own, w.foreign].entries()) yield* w.map(obj, 10 * i);
        const exec = new GpuVmExec(w.vm);
        expect(yield* exec.lock()).toBe(Errno.OK);
        expect(w.held(w.own, w.foreign, w.unmapped)).toEqual([true, true, false]);
        exec.unlock();
        expect(yield* exec.lockArray([w.unmapped, w.foreign])).toBe(Errno.OK);
        expect(w.held(w.own, w.foreign, w.unmapped)).toEqual([true, true, true]);
        exec.unlock();
        expect(yield* exec.lockRange(12, 14)).toBe(Errno.OK);
        expect(w.held(w.own, w.foreign, w.unmapped)).toEqual([false, true, false]);
        exec.unlock();
        expect(w.held(w.own, w.foreign, w.unmapped)).toEqual([false, false, false]);
      })(),
    );
  });

  it('locks for a request what it maps and what loses mappings to it', () => {
    const w = new World(flags);
    w.bench.run(
      (function* (): Steps<void> {
        for (const [i, obj] of [w.own, w.foreign].entries()) yield* w.map(obj, 10 * i);
        const exec = new GpuVmExec(w.vm, { numFences: 1 });
        yield* exec.lockForMap({ start: 15, end: 25, obj: w.unmapped, offset: 0 });
        expect(exec.exec.lockedObjects).toEqual([w.unmapped, w.foreign]);
        exec.unlock();
        yield* exec.lockForUnmap(0, 100);
        expect(exec.exec.lockedObjects).toEqual([w.own, w.foreign]);
        exec.unlock();
        expect(yield* exec.lockForUnmap(90, 101)).toBe(Errno.EINVAL);
        expect(w.vm.size).toBe(2);
      })(),
    );
  });

  it('brings back what was evicted, own and external, and empties the list', () => {
    const w = new World(flags);
    w.bench.run(
      (function* (): Steps<void> {
        for (const [i, obj] of [w.own, w.foreign].entries()) yield* w.map(obj, 10 * i);
        yield* w.evict(w.foreign);
        yield* w.evict(w.own);
        const exec = new GpuVmExec(w.vm);
        yield* exec.lock();
        expect(w.vm.evictedBos.map(({ obj }) => obj.name).sort()).toEqual(['foreign', 'own']);
        expect(yield* exec.validate()).toBe(Errno.OK);
        expect([w.validated.sort(), w.vm.evictedBos]).toEqual([['foreign', 'own'], []]);
        exec.unlock();
      })(),
    );
  });

  it('reports why one could not be brought back, and keeps it on the list', () => {
    const w = new World(flags);
    w.fail = Errno.ENOMEM;
    w.bench.run(
      (function* (): Steps<void> {
        yield* w.map(w.own, 0);
        yield* w.evict(w.own);
        const exec = new GpuVmExec(w.vm);
        yield* exec.lock();
        expect(yield* exec.validate()).toBe(Errno.ENOMEM);
        expect(w.vm.evictedBos).toHaveLength(1);
        w.fail = Errno.OK;
        expect(yield* exec.validate()).toBe(Errno.OK);
        expect(w.vm.evictedBos).toEqual([]);
        exec.unlock();
      })(),
    );
  });

  it('leaves the fence with all that is locked, by whether others can map it', () => {
    const w = new World(flags);
    const fence = new DmaFence(w.bench.sched, 'job');
    w.bench.run(
      (function* (): Steps<void> {
        yield* w.map(w.foreign, 0);
        const exec = new GpuVmExec(w.vm, { numFences: 1 });
        yield* exec.lock();
        exec.resvAddFence(fence, DmaResvUsage.Bookkeep, DmaResvUsage.Write);
        exec.unlock();
      })(),
    );
    const fences = ({ resv }: GemObject, usage: DmaResvUsage): number =>
      resv instanceof DmaResv ? resv.fences(usage).length : -1;
    expect([fences(w.own, DmaResvUsage.Read), fences(w.own, DmaResvUsage.Bookkeep)]).toEqual([0, 1]);
    expect([fences(w.foreign, DmaResvUsage.Kernel), fences(w.foreign, DmaResvUsage.Write)]).toEqual([0, 1]);
  });

  it('releases all after an error, of the driver too', () => {
    const w = new World(flags);
    w.bench.run(
      (function* (): Steps<void> {
        yield* w.map(w.foreign, 0);
        const extra = function* (): Steps<Errno> {
          return Errno.EIO;
        };
        expect(yield* new GpuVmExec(w.vm, { extra }).lock()).toBe(Errno.EIO);
        expect(w.held(w.own, w.foreign)).toEqual([false, false]);
      })(),
    );
  });
});

describe('GpuVmExec', () => {
  it('cannot validate without the driver', () => {
    const w = new World(0, false);
    w.bench.run(
      (function* (): Steps<void> {
        expect(yield* new GpuVmExec(w.vm).validate()).toBe(Errno.EOPNOTSUPP);
      })(),
    );
  });

  it("finds an external object's eviction only when it is locked, where the VM's reservation guards the list", () => {
    const w = new World(GpuVmFlag.ResvProtected);
    w.bench.run(
      (function* (): Steps<void> {
        yield* w.map(w.foreign, 0);
        yield* w.evict(w.foreign);
        expect(w.vm.evictedBos).toEqual([]);
        const exec = new GpuVmExec(w.vm);
        yield* exec.lock();
        expect(w.vm.evictedBos).toHaveLength(1);
        exec.unlock();
      })(),
    );
  });

  it('refuses to change lists of mappings without the lock that guards them', () => {
    const w = new World();
    w.bench.run(
      (function* (): Steps<void> {
        const place = { start: 0, end: 1, obj: w.foreign, offset: 0 };
        const ops = listed(w.vm.splitMerge.smMapOpsCreate(place));
        expect(() => applyOps(w.vm, ops, plainVa)).toThrow(AssertionFailure);
      })(),
    );
  });

  it('goes through external objects while others come and go', () => {
    for (let seed = 0; seed < 60; seed++) {
      const w = new World();
      const bench = new Bench(seed);
      const objects = Array.from(
        { length: 4 },
        (_, i) => new GemObject(`bo${i}`, 10, new DmaResv(bench.sched, `bo${i}`)),
      );
      const { vm } = w;
      const change = function* (obj: GemObject, start: number): Steps<void> {
        const exec = new GpuVmExec(vm);
        yield* exec.lockForMap({ start, end: start + 10, obj, offset: 0 });
        const place = { start, end: start + 10, obj, offset: 0 };
        applyOps(vm, listed(vm.splitMerge.smMapOpsCreate(place)), plainVa);
        yield* bench.steps(2);
        if (start % 20 === 0)
          applyOps(vm, listed(vm.splitMerge.smUnmapOpsCreate(start, start + 10)), plainVa);
        exec.unlock();
      };
      let current: GpuVmExec | null = null;
      const walk = function* (): Steps<void> {
        yield* vm.external.visit(function* ({ obj }) {
          current?.unlock();
          const exec = new GpuVmExec(vm);
          yield* exec.exec.untilAllLocked(() => exec.exec.lockObj(obj));
          yield* bench.steps(1);
          // Held until the next one: the walk's reference may be the last, and is given back under the lock of the object's list.
          current = exec;
          return Errno.OK;
        });
        current?.unlock();
      };
      bench.run(walk(), ...objects.map((obj, i) => change(obj, 10 * i)));
      expect(vm.externalBos.map(({ obj }) => obj.name)).toEqual(expect.arrayContaining(['bo1', 'bo3']));
      expect(vm.externalBos).toHaveLength(2);
    }
  });
});
