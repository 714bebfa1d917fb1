/** The VM's books: look-ups at the edges of mappings, references, external and evicted objects. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { applyOps } from '../../../src/drm/gpuvm/applyOps.js';
import { GemObject } from '../../../src/drm/gpuvm/gemObject.js';
import { GpuVa, GpuVaFlag } from '../../../src/drm/gpuvm/gpuVa.js';
import { elsewhere, GemObjects, listed, newVm, plainVa, show } from './gemObjects.js';

describe('GpuVm', () => {
  it('finds exact mappings, the first one of a span, and the neighbours that touch', () => {
    const objects = new GemObjects();
    const vm = newVm();
    vm.insert(new GpuVa(objects.place(2, 4, 'a', 0)));
    vm.insert(new GpuVa(objects.place(4, 8, 'b', 0)));
    const text = (va: GpuVa | null): string | null => (va === null ? null : show(va));
    expect(text(vm.find(2, 4))).toBe('a[0+2] at 2');
    expect(text(vm.find(2, 3))).toBeNull();
    expect(text(vm.find(2, 8))).toBeNull();
    expect(text(vm.findFirst(3, 8))).toBe('a[0+2] at 2');
    expect(text(vm.findFirst(0, 2))).toBeNull();
    expect(text(vm.findPrev(4))).toBe('a[0+2] at 2');
    // It begins where the other ends, and is not before it.
    expect(text(vm.findPrev(3))).toBeNull();
    expect(text(vm.findPrev(0))).toBeNull();
    expect(text(vm.findNext(4))).toBe('b[0+4] at 4');
    expect(text(vm.findNext(5))).toBeNull();
    expect([vm.intervalEmpty(0, 2), vm.intervalEmpty(8, 9), vm.intervalEmpty(0, 3)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('refuses a mapping over another one and one outside', () => {
    const objects = new GemObjects();
    const vm = newVm(10);
    vm.insert(new GpuVa(objects.place(2, 4, 'a', 0)));
    expect(vm.insert(new GpuVa(objects.place(3, 5, 'b', 0)))).toBe(Errno.EEXIST);
    expect(vm.insert(new GpuVa(objects.place(9, 11, 'b', 0)))).toBe(Errno.EINVAL);
    expect(vm.size).toBe(1);
  });

  it('has one record of an object, alive while a mapping is linked, which keeps the object alive', () => {
    const vm = newVm();
    let freed = 0;
    class Counted extends GemObject {
      protected override free(): void {
        freed++;
      }
    }
    const obj = new Counted('a', 10, elsewhere);
    const vmBo = vm.obtainBo(obj);
    expect(vm.obtainBo(obj)).toBe(vmBo);
    vmBo.put();
    const va = new GpuVa({ start: 0, end: 1, obj, offset: 0 });
    vm.insert(va);
    vm.link(va, vmBo);
    vmBo.put();
    obj.put();
    expect([freed, vm.findBo(obj), [...vmBo.vas]]).toEqual([0, vmBo, [va]]);
    applyOps(vm, listed(vm.splitMerge.smUnmapOpsCreate(0, 1)), plainVa);
    expect([freed, vm.findBo(obj), vmBo.refCount]).toEqual([1, null, 0]);
    expect(() => vmBo.get()).toThrow(AssertionFailure);
  });

  it('lists external objects, which do not share its reservation, and evicted ones until they are validated', () => {
    const vm = newVm();
    const own = vm.obtainBo(new GemObject('own', 1, vm.resv));
    const foreign = vm.obtainBo(new GemObject('foreign', 1, elsewhere));
    expect(vm.externalBos).toEqual([]);
    for (const vmBo of [own, foreign]) vm.extobjAdd(vmBo);
    expect(vm.externalBos).toEqual([foreign]);
    vm.setEvicted(foreign, true);
    vm.setEvicted(own, true);
    expect(vm.evictedBos).toEqual([foreign, own]);
    vm.setEvicted(foreign, false);
    expect([foreign.evicted, own.evicted, vm.evictedBos]).toEqual([false, true, [own]]);
    own.put();
    foreign.put();
    expect([vm.evictedBos, vm.externalBos, vm.allBos]).toEqual([[], [], []]);
  });

  it('keeps what it knows of an object when its only mapping is split', () => {
    const objects = new GemObjects();
    const vm = newVm();
    const obj = objects.get('a');
    if (obj === null) throw new Error('no object');
    const vmBo = vm.obtainBo(obj);
    const va = new GpuVa(objects.place(0, 4, 'a', 0));
    vm.insert(va);
    vm.link(va, vmBo);
    vmBo.put();
    vm.setEvicted(vmBo, true);
    applyOps(vm, listed(vm.splitMerge.smUnmapOpsCreate(1, 2)), plainVa);
    expect(vm.findBo(obj)).toBe(vmBo);
    expect([vmBo.evicted, vmBo.vas.size, vmBo.refCount]).toEqual([true, 2, 2]);
  });

  it('does not map beyond an object', () => {
    const obj = new GemObject('a', 4, elsewhere);
    expect(() => new GpuVa({ start: 0, end: 3, obj, offset: 2 })).toThrow(/beyond its object/);
    const va = new GpuVa({ start: 0, end: 2, obj, offset: 2 });
    va.flags = GpuVaFlag.Sparse;
    va.setInvalidated(true);
    expect([va.isInvalidated, va.flags]).toEqual([true, GpuVaFlag.Sparse | GpuVaFlag.Invalidated]);
    va.setInvalidated(false);
    expect(va.flags).toBe(GpuVaFlag.Sparse);
  });
});
