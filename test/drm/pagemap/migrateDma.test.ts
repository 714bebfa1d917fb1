/** I/O addresses of a migration: one reservation for a run, packed, given back as a whole; or one by one where there is no room for it. */

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { type EntrySpan, MigrateDma, RunIova } from '../../../src/drm/pagemap/migrateDma.js';
import { DmaDir, DmaProto, dmaAddrAt, dmaOrder, dmaPage, dmaProto } from '../../../src/memory/dmaAddr.js';
import { DmaIovaState } from '../../../src/memory/dmaIova.js';
import { MigratePfnFlag, migratePfn, type Pfn, pfn } from '../../../src/memory/pfn.js';
import { DrmMachine, type TestGpu } from '../harness.js';

let gpu: TestGpu;
const dma = new MigrateDma();

beforeEach(() => {
  [gpu] = new DrmMachine().gpus;
});

/** Entries that name these frames, each a small page's. */
function spanOf(frames: Uint32Array): EntrySpan {
  const entries = frames.map((frame) => migratePfn(frame as Pfn, 0));
  return { entries, first: 0, end: frames.length };
}

/** I/O page per entry, relative to the first; null where there is no address. */
function places(addrs: Uint32Array): (number | null)[] {
  const pages = [...addrs].map((addr) => (addr === 0 ? null : addr >>> 10));
  const first = pages.find((page) => page !== null) ?? 0;
  return pages.map((page) => (page === null ? null : page - first));
}

/** What the device reaches by each address. */
function framesBehind(addrs: Uint32Array): number[] {
  return Array.from(addrs, (_, i) => {
    const addr = dmaAddrAt(addrs, i);
    return addr === 0 ? 0 : gpu.iommu.iommu.translate(dmaPage(addr), false);
  });
}

function expectNothingMapped(): void {
  const { iommu, ledger } = gpu;
  expect([iommu.live, iommu.reserved, ledger.liveOf(DmaProto.System), ledger.mismatches]).toEqual([
    0,
    0,
    0,
    [],
  ]);
}

describe('the pages of a run', () => {
  it('follow one another in one reservation, whatever holes are between them', () => {
    const frames = Uint32Array.from([0, 7, 0, 0, 3, 9, 0, 4]);
    const addrs = new Uint32Array(8).fill(4711);
    const iova = new RunIova();
    expect(dma.map(gpu, spanOf(frames), addrs, DmaDir.ToDevice, iova)).toBe(Errno.OK);
    expect(places(addrs)).toEqual([null, 0, null, null, 1, 2, null, 3]);
    expect(framesBehind(addrs)).toEqual([...frames]);
    expect([iova.offset, gpu.iommu.reserved, gpu.iommu.live]).toEqual([4, 8, 4]);
    dma.unmap(gpu, addrs, 8, DmaDir.ToDevice, iova);
    expect([iova.offset, iova.state.isUsed]).toEqual([0, false]);
    expectNothingMapped();
  });

  it('of a large folio have one address, between those of small pages', () => {
    const entries = new Uint32Array(515);
    entries[0] = migratePfn(pfn(5), 0);
    entries[1] = migratePfn(pfn(1024), MigratePfnFlag.COMPOUND);
    entries[514] = migratePfn(pfn(9), 0);
    const addrs = new Uint32Array(515);
    const iova = new RunIova();
    expect(dma.map(gpu, { entries, first: 0, end: 515 }, addrs, DmaDir.ToDevice, iova)).toBe(Errno.OK);
    expect([0, 1, 514].map((i) => dmaOrder(dmaAddrAt(addrs, i)))).toEqual([0, 9, 0]);
    expect([addrs[2], addrs[513]]).toEqual([0, 0]);
    expect([iova.offset, gpu.iommu.live, gpu.ledger.liveOf(DmaProto.System)]).toEqual([514, 514, 514]);
    const { iommu } = gpu.iommu;
    const first = iova.state.addr;
    expect([0, 1, 512, 513].map((i) => iommu.translate(first + i, false))).toEqual([5, 1024, 1535, 9]);
    dma.unmap(gpu, addrs, 515, DmaDir.ToDevice, iova);
    expectNothingMapped();
  });

  it('of a large folio are mapped as one where there is no room for all together', () => {
    const taken = new DmaIovaState();
    expect(gpu.dmaIovaTryAlloc(taken, gpu.iommu.freeIoPages - 513)).toBe(true);
    const entries = new Uint32Array(515);
    entries[0] = migratePfn(pfn(5), 0);
    entries[1] = migratePfn(pfn(1024), MigratePfnFlag.COMPOUND);
    const addrs = new Uint32Array(515);
    const iova = new RunIova();
    expect(dma.map(gpu, { entries, first: 0, end: 515 }, addrs, DmaDir.ToDevice, iova)).toBe(Errno.OK);
    expect([iova.state.isUsed, gpu.iommu.live]).toEqual([false, 513]);
    dma.unmap(gpu, addrs, 515, DmaDir.ToDevice, iova);
    gpu.dmaIovaFree(taken);
    expectNothingMapped();
  });

  it('need no reservation when there are none', () => {
    const iova = new RunIova();
    const addrs = new Uint32Array(4);
    expect(dma.map(gpu, spanOf(new Uint32Array(4)), addrs, DmaDir.ToDevice, iova)).toBe(Errno.OK);
    expect([iova.state.isUsed, gpu.iommu.reservedTotal]).toEqual([false, 0]);
    dma.unmap(gpu, addrs, 4, DmaDir.ToDevice, iova);
    expectNothingMapped();
  });

  it('are mapped one by one where there is no room for all together', () => {
    const taken = new DmaIovaState();
    // All but four pages.
    expect(gpu.dmaIovaTryAlloc(taken, gpu.iommu.freeIoPages - 4)).toBe(true);
    const frames = Uint32Array.from([0, 7, 8, 0, 0, 9]);
    const addrs = new Uint32Array(6);
    const iova = new RunIova();
    expect(dma.map(gpu, spanOf(frames), addrs, DmaDir.ToDevice, iova)).toBe(Errno.OK);
    expect([iova.state.isUsed, framesBehind(addrs)]).toEqual([false, [...frames]]);
    dma.unmap(gpu, addrs, 6, DmaDir.ToDevice, iova);
    gpu.dmaIovaFree(taken);
    expectNothingMapped();
  });

  it.each([0, 1, 3, 5])('are all given back when only %i of them can be mapped', (left) => {
    gpu.mapsLeft = left;
    const frames = Uint32Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    const addrs = new Uint32Array(8);
    const iova = new RunIova();
    expect(dma.map(gpu, spanOf(frames), addrs, DmaDir.ToDevice, iova)).toBe(Errno.ENOMEM);
    dma.unmap(gpu, addrs, 8, DmaDir.ToDevice, iova);
    expectNothingMapped();
  });
});

describe('any run', () => {
  it('is reached page by page, and leaves nothing behind', () => {
    const runs = fc.array(fc.nat(60), { minLength: 1, maxLength: 64 });
    const dirs = fc.constantFrom(DmaDir.ToDevice, DmaDir.FromDevice);
    fc.assert(
      fc.property(runs, dirs, fc.nat(80), (wanted, dir, left) => {
        const frames = Uint32Array.from(wanted);
        const addrs = new Uint32Array(frames.length);
        const iova = new RunIova();
        gpu.mapsLeft = left > 70 ? left : 1000;
        const errno = dma.map(gpu, spanOf(frames), addrs, dir, iova);
        if (errno === Errno.OK) {
          const reached = Array.from(addrs, (_, i) => {
            const addr = dmaAddrAt(addrs, i);
            if (addr === 0) return 0;
            expect(dmaProto(addr)).toBe(DmaProto.System);
            return gpu.iommu.iommu.translate(dmaPage(addr), dir === DmaDir.FromDevice);
          });
          expect(reached).toEqual(wanted);
          const linked = wanted.filter((frame) => frame !== 0).length;
          expect(places(addrs).filter((page) => page !== null)).toEqual(
            Array.from({ length: linked }, (_, i) => i),
          );
        }
        dma.unmap(gpu, addrs, frames.length, dir, iova);
        expectNothingMapped();
      }),
      { numRuns: 100 },
    );
  });
});
