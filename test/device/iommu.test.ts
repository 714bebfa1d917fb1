/** An IOMMU: the device sees what the host maps, for as long as it is mapped, and the ledger adds up. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { Iommu } from '../../src/device/iommu.js';
import { IommuMapper } from '../../src/device/iommuMapper.js';
import { DmaDir } from '../../src/memory/dmaAddr.js';
import { NO_PFN, PFN_MAX, pfn } from '../../src/memory/pfn.js';

const dir = fc.constantFrom(DmaDir.Bidirectional, DmaDir.ToDevice, DmaDir.FromDevice);

function make(ioPages: number): { mapper: IommuMapper; device: Iommu } {
  const host = Iommu.allocate(ioPages);
  return { mapper: new IommuMapper(host, 3), device: new Iommu(host.buffer) };
}

describe('IOMMU', () => {
  it('translates exactly what is mapped, in the directions it is mapped for', () => {
    const operation = fc.record({
      map: fc.boolean(),
      frame: fc.integer({ min: 1, max: PFN_MAX }),
      dir,
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(operation, { maxLength: 60, size: 'max' }),
        (ioPages, operations) => {
          const { mapper, device } = make(ioPages);
          const naive = new Map<number, { frame: number; dir: DmaDir }>();
          for (const op of operations) {
            if (op.map) {
              const iova = mapper.map(pfn(op.frame), op.dir);
              expect(iova === Errno.ENOMEM).toBe(naive.size === ioPages);
              expect(naive.has(iova)).toBe(false);
              if (iova > 0) naive.set(iova, op);
            } else if (naive.size > 0) {
              const iova = [...naive.keys()][op.pick % naive.size];
              expect(mapper.unmap(iova)).toBe(naive.get(iova)?.frame);
              naive.delete(iova);
            }
            for (let iova = 0; iova <= ioPages + 1; iova++) {
              const entry = naive.get(iova);
              const readable = entry !== undefined && entry.dir !== DmaDir.FromDevice;
              const writable = entry !== undefined && entry.dir !== DmaDir.ToDevice;
              expect(device.translate(iova, false)).toBe(readable ? entry.frame : -1);
              expect(device.translate(iova, true)).toBe(writable ? entry.frame : -1);
            }
            expect(mapper.mapsTotal - mapper.unmapsTotal).toBe(mapper.live);
            expect(mapper.live).toBe(naive.size);
            expect(mapper.live + mapper.freeIoPages).toBe(ioPages);
          }
          const live: unknown[] = [];
          mapper.forEachLive((iova, frame, dir) => {
            live.push([iova, { frame, dir }]);
          });
          const expected = [...naive].map(([iova, op]) => [iova, { frame: op.frame, dir: op.dir }]);
          expect(live).toEqual(expected.sort((a, b) => Number(a[0]) - Number(b[0])));
        },
      ),
      { numRuns: 60, seed: 20250101 },
    );
  });

  it('reuses the I/O page that was freed longest ago, so that a stale address stays unmapped', () => {
    const { mapper, device } = make(8);
    const frame = pfn(700);
    const all = Array.from({ length: 8 }, () => mapper.map(frame, DmaDir.Bidirectional));
    for (const i of [5, 0, 3]) mapper.unmap(all[i]);
    const again = [5, 0, 3].map(() => {
      const stale = [5, 0, 3].map((i) => device.translate(all[i], false));
      const iova = mapper.map(frame, DmaDir.Bidirectional);
      return [iova, stale.filter((translated) => translated < 0).length];
    });
    expect(again).toEqual([
      [all[5], 3],
      [all[0], 2],
      [all[3], 1],
    ]);
  });

  it('asserts against unmapping twice, and against what was never mapped', () => {
    const { mapper } = make(4);
    const iova = mapper.map(pfn(600), DmaDir.ToDevice);
    mapper.unmap(iova);
    expect(() => mapper.unmap(iova)).toThrow(/device 3: DMA unmap of I\/O page 1, which is not mapped/);
    for (const wrong of [0, -1, 5]) expect(() => mapper.unmap(wrong)).toThrow(AssertionFailure);
    expect(() => mapper.map(NO_PFN, DmaDir.ToDevice)).toThrow(AssertionFailure);
    expect([mapper.mapsTotal, mapper.unmapsTotal, mapper.live]).toEqual([1, 1, 0]);
  });

  it('lets a holder check that its mapping is what it believes it to be', () => {
    const { mapper } = make(4);
    const iova = mapper.map(pfn(600), DmaDir.ToDevice);
    mapper.assertMapped(iova, pfn(600), DmaDir.ToDevice);
    expect(() => mapper.assertMapped(iova, pfn(601), DmaDir.ToDevice)).toThrow(AssertionFailure);
    expect(() => mapper.assertMapped(iova, pfn(600), DmaDir.Bidirectional)).toThrow(AssertionFailure);
  });

  it('fails on request, and counts it', () => {
    const { mapper } = make(4);
    mapper.shouldFail = () => true;
    expect(mapper.map(pfn(600), DmaDir.ToDevice)).toBe(Errno.ENOMEM);
    expect([mapper.failures, mapper.mapsTotal, mapper.live]).toEqual([1, 0, 0]);
  });
});
