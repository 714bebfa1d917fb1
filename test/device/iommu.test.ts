/** An IOMMU: the device sees what the host maps, for as long as it is mapped, and the ledger adds up. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { Iommu } from '../../src/device/iommu.js';
import { IommuMapper } from '../../src/device/iommuMapper.js';
import { IovaSpace } from '../../src/device/iovaSpace.js';
import { DmaDir } from '../../src/memory/dmaAddr.js';
import { DmaIovaState } from '../../src/memory/dmaIova.js';
import { NO_PFN, PFN_MAX, pfn } from '../../src/memory/pfn.js';

const dir = fc.constantFrom(DmaDir.Bidirectional, DmaDir.ToDevice, DmaDir.FromDevice);

function make(ioPages: number): { mapper: IommuMapper; device: Iommu } {
  const host = Iommu.allocate(ioPages, 16);
  return { mapper: new IommuMapper(host, 3), device: new Iommu(host.buffer, 16) };
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

  it('goes round all I/O pages before it uses a freed one again, so that a stale address stays unmapped', () => {
    const { mapper, device } = make(8);
    const frame = pfn(700);
    const stale = mapper.map(frame, DmaDir.Bidirectional);
    mapper.unmap(stale);
    for (let i = 0; i < 7; i++) {
      mapper.map(frame, DmaDir.Bidirectional);
      expect(device.translate(stale, false)).toBe(-1);
    }
    expect(mapper.map(frame, DmaDir.Bidirectional)).toBe(stale);
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
    mapper.shouldFail = null;
    const state = new DmaIovaState();
    expect(mapper.tryAlloc(state, 2)).toBe(true);
    mapper.shouldFail = () => true;
    expect(mapper.link(state, pfn(600), 0, 1, DmaDir.ToDevice)).toBe(Errno.ENOMEM);
    expect(mapper.tryAlloc(new DmaIovaState(), 2)).toBe(false);
    expect([mapper.failures, mapper.mapsTotal, mapper.live]).toEqual([3, 0, 0]);
  });
});

describe('IOMMU reservations', () => {
  it('are filled link after link at consecutive I/O pages, and given back whole', () => {
    const { mapper, device } = make(16);
    const state = new DmaIovaState();
    expect(mapper.tryAlloc(state, 8)).toBe(true);
    expect([state.isUsed, state.npages, mapper.reserved, mapper.freeIoPages]).toEqual([true, 8, 8, 8]);
    expect(mapper.link(state, pfn(700), 0, 1, DmaDir.ToDevice)).toBe(Errno.OK);
    expect(mapper.link(state, pfn(800), 1, 4, DmaDir.ToDevice)).toBe(Errno.OK);
    const seen = Array.from({ length: 8 }, (_, i) => device.translate(state.addr + i, false));
    expect(seen).toEqual([700, 800, 801, 802, 803, -1, -1, -1]);
    expect(mapper.live).toBe(5);
    const first = state.addr;
    mapper.unlink(state, 0, 5);
    expect(device.translate(first + 2, false)).toBe(-1);
    expect([mapper.live, mapper.reserved]).toEqual([0, 8]);
    mapper.free(state);
    expect([state.isUsed, mapper.reserved, mapper.freeIoPages]).toEqual([false, 0, 16]);
  });

  it('are filled by one call as by a link for each frame that there is', () => {
    const frames = Uint32Array.of(700, 0, 705, 701);
    const { mapper, device } = make(16);
    const state = new DmaIovaState();
    mapper.tryAlloc(state, 4);
    expect(mapper.linkPages(state, frames, 4, 0, DmaDir.FromDevice)).toBe(3);
    expect([0, 1, 2, 3].map((i) => device.translate(state.addr + i, true))).toEqual([700, 705, 701, -1]);
    expect([mapper.live, mapper.mapsTotal, mapper.sizeAt(state.addr + 2)]).toEqual([3, 3, 1]);
    expect(mapper.unlinkPages(state, 0, 3, DmaDir.FromDevice)).toBe(state.addr + 3);
    expect([mapper.live, mapper.unmapsTotal, mapper.sizeAt(state.addr)]).toEqual([0, 3, 0]);
  });

  it('keep the links that were made before one failed', () => {
    const { mapper } = make(16);
    const state = new DmaIovaState();
    mapper.tryAlloc(state, 4);
    let asked = 0;
    mapper.shouldFail = () => asked++ === 2;
    expect(mapper.linkPages(state, Uint32Array.of(700, 701, 702, 703), 4, 0, DmaDir.ToDevice)).toBe(2);
    expect([mapper.live, mapper.failures]).toEqual([2, 1]);
  });

  it('are emptied by one call up to the first link that is no single page, or has another direction', () => {
    const { mapper } = make(16);
    const state = new DmaIovaState();
    mapper.tryAlloc(state, 6);
    mapper.linkPages(state, Uint32Array.of(700, 701), 2, 0, DmaDir.ToDevice);
    mapper.link(state, pfn(710), 2, 1, DmaDir.FromDevice);
    mapper.link(state, pfn(720), 3, 2, DmaDir.ToDevice);
    expect(mapper.unlinkPages(state, 0, 5, DmaDir.ToDevice)).toBe(state.addr + 2);
    expect(mapper.unlinkPages(state, 2, 3, DmaDir.FromDevice)).toBe(state.addr + 3);
    expect(mapper.live).toBe(2);
  });

  it('are refused where no run of I/O pages is long enough, though single ones are left', () => {
    const { mapper } = make(8);
    const all = Array.from({ length: 8 }, () => mapper.map(pfn(600), DmaDir.ToDevice));
    for (const i of [1, 3, 4, 6]) mapper.unmap(all[i]);
    const state = new DmaIovaState();
    expect(mapper.tryAlloc(state, 3)).toBe(false);
    expect([state.isUsed, mapper.reserved]).toEqual([false, 0]);
    expect(mapper.tryAlloc(state, 2)).toBe(true);
    expect(state.addr).toBe(all[3]);
  });

  it('assert against being freed while something is linked, and against links beyond their end', () => {
    const { mapper } = make(8);
    const state = new DmaIovaState();
    mapper.tryAlloc(state, 4);
    expect(() => mapper.link(state, pfn(600), 3, 2, DmaDir.ToDevice)).toThrow(AssertionFailure);
    mapper.link(state, pfn(600), 0, 1, DmaDir.ToDevice);
    expect(() => mapper.free(state)).toThrow(/is freed while it is mapped/);
  });

  it('a mapping of several pages ends as it was made, not in parts', () => {
    const { mapper, device } = make(8);
    const iova = mapper.map(pfn(600), DmaDir.Bidirectional, 4);
    expect(device.translate(iova + 3, true)).toBe(603);
    expect(() => mapper.unmap(iova, 2)).toThrow(/unmap of 2 pages at I\/O page 1, where 4 were mapped/);
    expect(mapper.unmap(iova, 4)).toBe(600);
    expect([mapper.live, mapper.freeIoPages]).toEqual([0, 8]);
  });
});

describe('I/O addresses', () => {
  it('are runs of pages that nobody else has, wherever a naive search finds one', () => {
    const operation = fc.record({ size: fc.integer({ min: 1, max: 5 }), free: fc.boolean(), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60, size: 'max' }), (operations) => {
        const space = new IovaSpace(16);
        const taken = new Map<number, number>();
        const isTaken = (page: number): boolean =>
          [...taken].some(([first, size]) => page >= first && page < first + size);
        for (const { size, free, pick } of operations) {
          if (free && taken.size > 0) {
            const first = [...taken.keys()][pick % taken.size];
            space.free(first, taken.get(first) ?? 0);
            taken.delete(first);
            continue;
          }
          const starts = Array.from({ length: 17 - size }, (_, i) => i + 1);
          const fits = starts.some(
            (at) => !Array.from({ length: size }, (_, i) => isTaken(at + i)).includes(true),
          );
          const found = space.allocate(size);
          expect(found > 0).toBe(fits);
          if (found === 0) continue;
          for (let i = 0; i < size; i++) expect(isTaken(found + i)).toBe(false);
          expect(found + size).toBeLessThanOrEqual(17);
          taken.set(found, size);
        }
        const used = [...taken.values()].reduce((sum, size) => sum + size, 0);
        expect(space.freePages).toBe(16 - used);
      }),
      { numRuns: 100, seed: 20250101 },
    );
  });
});
