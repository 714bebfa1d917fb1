/** A GPU VM of all 64 bits, near both ends of them: requests in bytes against a model in unsigned 64-bit arithmetic. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { ADDRESS_PAGES, pagesOfRange } from '../../../src/drm/gpuvm/addressRange.js';
import { applyOps } from '../../../src/drm/gpuvm/applyOps.js';
import { GpuVm, resvObjectAlloc } from '../../../src/drm/gpuvm/gpuVm.js';
import { freeForAll, listed, plainVa } from './gemObjects.js';

const PAGE = 4096n;
const TOP = 2n ** 64n;

/** An address of 64 bits near one of their ends, or one that is none of theirs. */
const address = fc.oneof(
  fc.bigInt({ min: 0n, max: 24n }).map((page) => page * PAGE),
  fc.bigInt({ min: 1n, max: 24n }).map((page) => TOP - page * PAGE),
  fc.constantFrom(1n, TOP - 1n),
);
const length = fc.oneof(
  fc.bigInt({ min: 0n, max: 12n }).map((pages) => pages * PAGE),
  fc.constantFrom(TOP - PAGE, 1n, PAGE + 1n),
);
const request = fc.record({ kind: fc.constantFrom('map', 'unmap', 'find'), addr: address, range: length });

/** What is mapped, as [start, end) in bytes, none touching another by accident of the arithmetic. */
class Model {
  private pieces: [bigint, bigint][] = [];

  /** The kernel's rule: whole pages, at least one, and an end that 64 bits can hold. */
  isRange(addr: bigint, range: bigint): boolean {
    const end = BigInt.asUintN(64, addr + range);
    return range > 0n && addr % PAGE === 0n && range % PAGE === 0n && end > addr;
  }

  cut(addr: bigint, range: bigint): void {
    const end = addr + range;
    this.pieces = this.pieces.flatMap(([from, to]): [bigint, bigint][] => {
      const before: [bigint, bigint][] = from < addr ? [[from, to < addr ? to : addr]] : [];
      const after: [bigint, bigint][] = to > end ? [[from > end ? from : end, to]] : [];
      return [...before, ...after];
    });
  }

  add(addr: bigint, range: bigint): void {
    this.cut(addr, range);
    this.pieces.push([addr, addr + range]);
    this.pieces.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  has(addr: bigint, range: bigint): boolean {
    return this.pieces.some(([from, to]) => from < addr + range && addr < to);
  }

  get all(): readonly [bigint, bigint][] {
    return this.pieces;
  }
}

describe('a VM of all addresses', () => {
  const make = (): GpuVm =>
    new GpuVm(
      'all',
      { start: 0, end: ADDRESS_PAGES },
      { resvObject: resvObjectAlloc(freeForAll('of the VM')) },
    );

  it('maps, unmaps and finds at both ends as unsigned 64-bit arithmetic says', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 20 }), (requests) => {
        const vm = make();
        const model = new Model();
        for (const { kind, addr, range } of requests) {
          const span = pagesOfRange(addr, range);
          expect(typeof span !== 'number').toBe(model.isRange(addr, range));
          if (typeof span === 'number') {
            expect(span).toBe(Errno.EINVAL);
            continue;
          }
          if (kind === 'find') {
            expect(vm.intervalEmpty(span.start, span.end)).toBe(!model.has(addr, range));
            const next = vm.findNext(span.start);
            expect(next === null ? null : BigInt(next.start) * PAGE).toBe(
              model.all.find(([from]) => from === addr)?.[0] ?? null,
            );
            const before = vm.findPrev(span.start);
            expect(before === null ? null : BigInt(before.end) * PAGE).toBe(
              model.all.find(([, to]) => to === addr)?.[1] ?? null,
            );
          } else if (kind === 'map') {
            const place = { ...span, obj: null, offset: 0 };
            applyOps(vm, listed(vm.splitMerge.smMapOpsCreate(place)), plainVa);
            model.add(addr, range);
          } else {
            applyOps(vm, listed(vm.splitMerge.smUnmapOpsCreate(span.start, span.end)), plainVa);
            model.cut(addr, range);
          }
          expect([...vm].map(({ start, end }) => [BigInt(start) * PAGE, BigInt(end) * PAGE])).toEqual(
            model.all,
          );
        }
      }),
      { numRuns: 300, seed: 11 },
    );
  });

  it('has a last page that no range ends behind, and finds nothing beyond it', () => {
    const vm = make();
    const last = ADDRESS_PAGES - 1;
    expect(vm.rangeValid(last - 1, last)).toBe(true);
    expect(vm.rangeValid(last, ADDRESS_PAGES)).toBe(false);
    applyOps(
      vm,
      listed(vm.splitMerge.smMapOpsCreate({ start: last - 2, end: last, obj: null, offset: 0 })),
      plainVa,
    );
    expect(vm.findPrev(last)?.start).toBe(last - 2);
    expect([vm.findNext(last), vm.findFirst(last, ADDRESS_PAGES)]).toEqual([null, null]);
    expect(vm.gapAround(last)).toEqual({ start: last, end: ADDRESS_PAGES });
  });
});
