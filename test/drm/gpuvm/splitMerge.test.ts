/** Split and merge against a model that keeps, for each page, which page of which object is there. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { applyOps } from '../../../src/drm/gpuvm/applyOps.js';
import { GpuVa, type GpuVaPlace } from '../../../src/drm/gpuvm/gpuVa.js';
import type { GpuVaOp } from '../../../src/drm/gpuvm/gpuVaOps.js';
import { GpuVm, resvObjectAlloc } from '../../../src/drm/gpuvm/gpuVm.js';
import {
  elsewhere,
  freeForAll,
  GemObjects,
  listed,
  newVm,
  plainVa,
  show,
  showAll,
  showOp,
} from './gemObjects.js';

const PAGES = 40;

/** What is behind each page, or nothing: `a:12`. */
type PageModel = (string | undefined)[];

function pagesOf(vm: GpuVm): PageModel {
  const pages: PageModel = new Array(PAGES).fill(undefined);
  for (const va of vm) {
    for (let page = va.start; page < va.end; page++) {
      expect(pages[page]).toBeUndefined();
      pages[page] = `${va.obj?.name ?? '-'}:${va.offset + (page - va.start)}`;
    }
  }
  return pages;
}

const request = fc.record({
  kind: fc.constantFrom('map' as const, 'unmap' as const, 'madvise' as const),
  start: fc.nat(PAGES - 1),
  length: fc.integer({ min: 1, max: 12 }),
  name: fc.constantFrom('a', 'b', null),
  offset: fc.nat(20),
});

/** A mapping may keep its entries exactly where each page that it loses is the page that the request puts there. */
function checkKeeps(
  ops: readonly GpuVaOp[],
  { start, end, obj, offset }: GpuVaPlace,
  model: PageModel,
): void {
  for (const op of ops) {
    if (op.op !== 'unmap' && op.op !== 'remap') continue;
    const { va, keep } = op.op === 'unmap' ? op : op.unmap;
    const lost = model.slice(Math.max(va.start, start), Math.min(va.end, end));
    const first = offset + Math.max(va.start, start) - start;
    const same = obj !== null && lost.every((page, i) => page === `${obj.name}:${first + i}`);
    expect(keep).toBe(same);
  }
}

describe('split and merge', () => {
  it('leaves behind each page what the last request put there, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 25 }), (requests) => {
        const vm = newVm(PAGES);
        const objects = new GemObjects();
        const model: PageModel = new Array(PAGES).fill(undefined);
        for (const { kind, start, length, name, offset } of requests) {
          const end = Math.min(start + length, PAGES);
          const place = objects.place(start, end, name, offset);
          if (kind === 'map') {
            const ops = listed(vm.splitMerge.smMapOpsCreate(place));
            checkKeeps(ops, place, model);
            applyOps(vm, ops, plainVa);
          } else if (kind === 'unmap')
            applyOps(vm, listed(vm.splitMerge.smUnmapOpsCreate(start, end)), plainVa);
          else applyOps(vm, listed(vm.splitMerge.madviseOpsCreate(start, end)), plainVa);
          if (kind !== 'madvise') {
            for (let page = start; page < end; page++) {
              model[page] = kind === 'map' ? `${name ?? '-'}:${offset + page - start}` : undefined;
            }
          }
          expect(pagesOf(vm)).toEqual(model);
          const referenced = new Set([...vm].flatMap((va) => (va.obj === null ? [] : [va.obj])));
          expect(new Set(vm.allBos.map((bo) => bo.obj))).toEqual(referenced);
        }
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  it('has at most two remaps and exactly one map, which comes last', () => {
    const spans = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(spans, fc.nat(20), fc.integer({ min: 1, max: 15 }), (lengths, start, length) => {
        const vm = newVm(100);
        const objects = new GemObjects();
        let at = 0;
        for (const one of lengths) {
          vm.insert(new GpuVa(objects.place(at, at + one, 'a', at)));
          at += one + 1;
        }
        const ops = listed(vm.splitMerge.smMapOpsCreate(objects.place(start, start + length, 'b', 0)));
        const kinds = ops.map((op) => op.op);
        expect(kinds.filter((kind) => kind === 'remap').length).toBeLessThanOrEqual(2);
        expect(kinds.indexOf('map')).toBe(kinds.length - 1);
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  it('allows to keep page-table entries only where each old page is the page that the request puts there', () => {
    const objects = new GemObjects();
    const vm = newVm();
    vm.insert(new GpuVa(objects.place(4, 6, 'a', 14)));
    vm.insert(new GpuVa(objects.place(8, 10, 'a', 19)));
    vm.insert(new GpuVa(objects.place(12, 14, null, 22)));
    const ops = listed(vm.splitMerge.smMapOpsCreate(objects.place(0, 20, 'a', 10)));
    expect(ops.map(showOp)).toEqual([
      'unmap a[14+2] at 4 keep',
      'unmap a[19+2] at 8',
      'unmap -[22+2] at 12',
      'map a[10+20] at 0',
    ]);
  });

  it('never keeps what has no object, though both have none and the offsets continue', () => {
    const objects = new GemObjects();
    const vm = newVm();
    vm.insert(new GpuVa(objects.place(0, 8, null, 0)));
    const ops = listed(vm.splitMerge.smMapOpsCreate(objects.place(2, 4, null, 2)));
    expect(ops.map(showOp)).toEqual([
      'remap -[0+8] at 0 prev -[0+2] at 0 next -[4+4] at 4',
      'map -[2+2] at 2',
    ]);
  });

  it('splits for advice only mappings without an object, and only where the span ends inside', () => {
    const objects = new GemObjects();
    const vm = newVm();
    vm.insert(new GpuVa(objects.place(0, 4, null, 0)));
    vm.insert(new GpuVa(objects.place(4, 6, 'a', 0)));
    vm.insert(new GpuVa(objects.place(6, 8, null, 0)));
    vm.insert(new GpuVa(objects.place(8, 12, null, 0)));
    const ops = listed(vm.splitMerge.madviseOpsCreate(2, 10));
    expect(ops.map(showOp)).toEqual([
      'remap -[0+4] at 0 prev -[0+2] at 0',
      'map -[2+2] at 2',
      'remap -[0+4] at 8 next -[2+2] at 10',
      'map -[0+2] at 8',
    ]);
    expect(
      ops
        .map((op) => (op.op === 'map' ? op.from : null))
        .filter((from) => from !== null)
        .map(show),
    ).toEqual(['-[0+4] at 0', '-[0+4] at 8']);
  });

  it('stops at the first step that fails, with its error', () => {
    const objects = new GemObjects();
    const vm = newVm();
    vm.insert(new GpuVa(objects.place(0, 2, 'a', 0)));
    vm.insert(new GpuVa(objects.place(4, 6, 'a', 4)));
    const seen: string[] = [];
    const errno = vm.splitMerge.map(objects.place(0, 6, 'b', 0), (op) => {
      seen.push(op.op);
      return seen.length === 2 ? Errno.ENOMEM : Errno.OK;
    });
    expect([errno, seen]).toEqual([Errno.ENOMEM, ['unmap', 'unmap']]);
  });

  it('refuses what is not a range of the VM: empty, beyond its end, in the part kept for the driver', () => {
    const objects = new GemObjects();
    const resvObject = resvObjectAlloc(freeForAll('of the VM'));
    const options = { resvObject, reserved: { start: 50, end: 60 } };
    const vm = new GpuVm('test', { start: 10, end: 100 }, options);
    for (const [start, end] of [
      [20, 20],
      [0, 11],
      [90, 101],
      [59, 61],
      [40, 70],
      [30, 20],
    ]) {
      expect(vm.splitMerge.smUnmapOpsCreate(start, end)).toBe(Errno.EINVAL);
      expect(vm.splitMerge.smMapOpsCreate(objects.place(start, end, null, 0))).toBe(Errno.EINVAL);
      expect(vm.splitMerge.madviseOpsCreate(start, end)).toBe(Errno.EINVAL);
    }
    expect(listed(vm.splitMerge.smUnmapOpsCreate(10, 50))).toEqual([]);
    expect(listed(vm.splitMerge.smUnmapOpsCreate(60, 100))).toEqual([]);
  });

  it('lists the mappings of a span to prefetch, and those of an object to unmap', () => {
    const objects = new GemObjects();
    const vm = newVm();
    applyOps(vm, listed(vm.splitMerge.smMapOpsCreate(objects.place(0, 2, 'a', 0))), plainVa);
    applyOps(vm, listed(vm.splitMerge.smMapOpsCreate(objects.place(4, 6, 'b', 0))), plainVa);
    applyOps(vm, listed(vm.splitMerge.smMapOpsCreate(objects.place(8, 9, 'a', 5))), plainVa);
    expect(listed(vm.splitMerge.prefetchOpsCreate(1, 5)).map(showOp)).toEqual([
      'prefetch a[0+2] at 0',
      'prefetch b[0+2] at 4',
    ]);
    const a = objects.get('a');
    if (a === null) throw new Error('no object');
    const vmBo = vm.findBo(a);
    if (vmBo === null) throw new Error('not known');
    applyOps(vm, listed(vm.splitMerge.boUnmapOpsCreate(vmBo)), plainVa);
    expect(showAll(vm)).toEqual(['b[0+2] at 4']);
    expect([a.vmBos.size, a.refCount, a.resv]).toEqual([0, 1, elsewhere]);
  });
});
