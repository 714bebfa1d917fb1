/** GPU page-table entry words. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import {
  formatGpuPte,
  gpuPte,
  gpuPteAllows,
  gpuPteIsValid,
  gpuPteIsWritable,
  gpuPtePage,
  gpuPteProto,
  gpuPteSamePage,
  NO_GPU_PTE,
} from '../../src/device/gpuPte.js';
import { DmaDir, DmaProto, dmaAddr, NO_DMA_ADDR } from '../../src/memory/dmaAddr.js';

const proto = fc.constantFrom(DmaProto.System, DmaProto.Vram, DmaProto.Peer);

describe('GpuPte', () => {
  it('gives back what it was made from, and is a small integer', () => {
    fc.assert(
      fc.property(proto, fc.nat(2 ** 22 - 1), fc.boolean(), (kind, page, write) => {
        const pte = gpuPte(dmaAddr(kind, page, DmaDir.Bidirectional), 0, write);
        expect([gpuPteProto(pte), gpuPtePage(pte), gpuPteIsWritable(pte)]).toEqual([kind, page, write]);
        expect([gpuPteIsValid(pte), gpuPteAllows(pte, false), gpuPteAllows(pte, true)]).toEqual([
          true,
          true,
          write,
        ]);
        expect(pte > 0 && pte < 2 ** 30).toBe(true);
      }),
      { seed: 20250101 },
    );
  });

  it('allows nothing when it is empty', () => {
    expect([
      gpuPteIsValid(NO_GPU_PTE),
      gpuPteAllows(NO_GPU_PTE, false),
      gpuPteAllows(NO_GPU_PTE, true),
    ]).toEqual([false, false, false]);
  });

  it('names the pages of a large address one by one', () => {
    const addr = dmaAddr(DmaProto.Vram, 1024, DmaDir.Bidirectional, 9);
    expect([0, 1, 511].map((i) => gpuPtePage(gpuPte(addr, i, true)))).toEqual([1024, 1025, 1535]);
  });

  it('compares pages, whatever may be done with them', () => {
    const make = (kind: DmaProto, page: number, write: boolean) =>
      gpuPte(dmaAddr(kind, page, DmaDir.Bidirectional), 0, write);
    expect(gpuPteSamePage(make(DmaProto.Vram, 7, true), make(DmaProto.Vram, 7, false))).toBe(true);
    expect(gpuPteSamePage(make(DmaProto.Vram, 7, true), make(DmaProto.Vram, 8, true))).toBe(false);
    expect(gpuPteSamePage(make(DmaProto.Vram, 7, true), make(DmaProto.Peer, 7, true))).toBe(false);
  });

  it('refuses an empty address and stores through a read-only mapping', () => {
    expect(() => gpuPte(NO_DMA_ADDR, 0, false)).toThrow(AssertionFailure);
    const readOnly = dmaAddr(DmaProto.System, 9, DmaDir.ToDevice);
    expect(() => gpuPte(readOnly, 0, true)).toThrow(/read-only DMA mapping/);
    expect(formatGpuPte(gpuPte(readOnly, 0, false))).toBe('ro I/O page 0x9');
    expect(formatGpuPte(NO_GPU_PTE)).toBe('nothing');
  });
});
