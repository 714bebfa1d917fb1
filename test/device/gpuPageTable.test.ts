/** A GPU's page table against a Map from pages to entries. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { type Vpn, vpn } from '../../src/base/units.js';
import { GpuPageTable } from '../../src/device/gpuPageTable.js';
import { gpuPte, gpuPteAllows, gpuPtePage, gpuPteProto, NO_GPU_PTE } from '../../src/device/gpuPte.js';
import { DmaProto } from '../../src/memory/dmaAddr.js';
import { TableArena } from '../../src/memory/radixTable.js';
import { peerAddr, systemAddr, vramAddr } from './harness.js';

function make(tables = 64): GpuPageTable {
  return new GpuPageTable(TableArena.allocate(tables));
}

/** Pages around the edges of leaf tables, low and high. */
const page = fc
  .tuple(fc.constantFrom(0, 2 ** 18 - 256, 2 ** 31 - 256, 2 ** 35 - 1024), fc.nat(600))
  .map(([base, offset]) => vpn(base + offset));

describe('GpuPageTable', () => {
  it('holds what a Map holds', () => {
    const operation = fc.record({
      bind: fc.boolean(),
      page,
      npages: fc.integer({ min: 1, max: 150 }),
      write: fc.boolean(),
    });
    const addrOf = (at: number) => [systemAddr, vramAddr, peerAddr][at % 3](1 + (at % 1_000_003));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 20, size: 'max' }), (operations) => {
        const table = make();
        const naive = new Map<number, number>();
        for (const op of operations) {
          if (op.bind) {
            const addrs = Uint32Array.from({ length: op.npages }, (_, i) => addrOf(op.page + i));
            expect(table.bind(op.page, op.npages, addrs, op.write)).toBe(Errno.OK);
            for (let i = 0; i < op.npages; i++)
              naive.set(op.page + i, gpuPte(addrOf(op.page + i), 0, op.write));
          } else {
            let zapped = 0;
            for (let i = 0; i < op.npages; i++) zapped += naive.delete(op.page + i) ? 1 : 0;
            expect(table.zap(op.page, op.npages)).toBe(zapped);
          }
          for (let at = op.page - 2; at < op.page + op.npages + 2; at++) {
            if (at >= 0 && table.read(vpn(at)) !== (naive.get(at) ?? NO_GPU_PTE))
              throw new Error(`page ${at}`);
          }
        }
        const listed: [number, number][] = [];
        table.forEach((at, pte) => {
          listed.push([at, pte]);
        });
        expect(listed).toEqual([...naive].sort((a, b) => a[0] - b[0]));
        expect(table.entries).toBe(naive.size);
      }),
      { numRuns: 40, seed: 20250101 },
    );
  });

  it('takes addresses that cover several pages, packed one after another', () => {
    const table = make();
    const addrs = Uint32Array.of(vramAddr(1024, 3), systemAddr(5), peerAddr(1600), 0);
    expect(table.bind(vpn(508), 10, addrs, false)).toBe(Errno.OK);
    const read = Array.from({ length: 10 }, (_, i) => table.read(vpn(508 + i)));
    expect(read.map(gpuPtePage)).toEqual([1024, 1025, 1026, 1027, 1028, 1029, 1030, 1031, 5, 1600]);
    expect(read.slice(7).map(gpuPteProto)).toEqual([DmaProto.Vram, DmaProto.System, DmaProto.Peer]);
    expect(read.map((pte) => gpuPteAllows(pte, true))).toEqual(Array(10).fill(false));
  });

  it('asserts that addresses cover exactly the pages of the bind', () => {
    expect(() => make().bind(vpn(0), 7, Uint32Array.of(vramAddr(1024, 3)), true)).toThrow(
      /beyond its 7 pages/,
    );
    expect(() => make().bind(vpn(0), 2, Uint32Array.of(vramAddr(1024), 0), true)).toThrow(AssertionFailure);
    expect(() =>
      make().bind(vpn(2 ** 35 - 1), 2, Uint32Array.of(systemAddr(1), systemAddr(2)), true),
    ).toThrow(/outside the address space/);
  });

  it('lets a valid entry change its rights but not its page', () => {
    const table = make();
    const at: Vpn = vpn(77);
    table.bind(at, 1, Uint32Array.of(systemAddr(4)), false);
    table.bind(at, 1, Uint32Array.of(systemAddr(4)), true);
    expect(gpuPteAllows(table.read(at), true)).toBe(true);
    expect(table.entries).toBe(1);
    expect(() => table.bind(at, 1, Uint32Array.of(systemAddr(5)), true)).toThrow(
      /0x4d000 is bound to rw I\/O page 0x5 over rw I\/O page 0x4 without a zap/,
    );
  });

  it('binds nothing when tables run out, and takes empty tables back first', () => {
    const table = make(5);
    const one = Uint32Array.of(systemAddr(1), systemAddr(2));
    expect(table.bind(vpn(0), 1, one, true)).toBe(Errno.OK);
    // One leaf table is left, and two are needed.
    expect(table.bind(vpn(1023), 2, one, true)).toBe(Errno.ENOMEM);
    expect([table.entries, table.read(vpn(1023))]).toEqual([1, NO_GPU_PTE]);
    table.zap(vpn(0), 1);
    expect(table.bind(vpn(1023), 2, one, true)).toBe(Errno.OK);
    expect(table.entries).toBe(2);
  });
});
