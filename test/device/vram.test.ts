/** VRAM allocations: whole, disjoint, inside the zone, and all given back. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import type { VramAllocationId } from '../../src/device/gpuPort.js';
import { Vram } from '../../src/device/vram.js';
import { pfn } from '../../src/memory/pfn.js';
import type { Zone } from '../../src/memory/zone.js';
import { makeMemory } from './harness.js';

function zone(pages: number): Zone {
  return makeMemory(512, pages, 1).layout.vramOf(0);
}

describe('Vram', () => {
  it('gives disjoint frames of its zone, all or none', () => {
    const operation = fc.record({
      alloc: fc.boolean(),
      npages: fc.integer({ min: 1, max: 200 }),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 700 }),
        fc.array(operation, { maxLength: 60, size: 'max' }),
        (pages, operations) => {
          const vram = new Vram(zone(pages));
          const naive = new Map<VramAllocationId, Set<number>>();
          const used = new Set<number>();
          for (const op of operations) {
            if (op.alloc) {
              const out = new Uint32Array(op.npages + 1).fill(7);
              const id = vram.alloc(op.npages, out);
              expect(id === Errno.ENOMEM).toBe(used.size + op.npages > pages);
              if (id < 0) continue;
              const frames = new Set(out.subarray(0, op.npages));
              expect(frames.size).toBe(op.npages);
              expect(out[op.npages]).toBe(7);
              for (const frame of frames) {
                if (used.has(frame)) throw new Error(`frame ${frame} given twice`);
                if (frame < vram.zone.firstPfn || frame >= vram.zone.firstPfn + pages)
                  throw new Error(`frame ${frame}`);
                used.add(frame);
              }
              naive.set(id as VramAllocationId, frames);
            } else if (naive.size > 0) {
              const id = [...naive.keys()][op.pick % naive.size];
              for (const frame of naive.get(id) ?? []) used.delete(frame);
              naive.delete(id);
              vram.release(id);
            }
            expect([vram.usedPages, vram.freePages, vram.liveAllocations]).toEqual([
              used.size,
              pages - used.size,
              naive.size,
            ]);
          }
          const listed = new Map<VramAllocationId, Set<number>>();
          vram.forEachRun((id, first, npages) => {
            const frames = listed.get(id) ?? new Set();
            for (let i = 0; i < npages; i++) frames.add(first + i);
            listed.set(id, frames);
          });
          expect(listed).toEqual(naive);
          for (const id of naive.keys()) vram.release(id);
          expect(vram.freePages).toBe(pages);
          expect(vram.allocations).toBe(vram.releases);
        },
      ),
      { numRuns: 60, seed: 20250101 },
    );
  });

  it('gives blocks as large as there are', () => {
    const vram = new Vram(zone(1024));
    const out = new Uint32Array(512);
    vram.alloc(1, out);
    vram.alloc(512, out);
    expect([out[0] % 512, out[511] - out[0]]).toEqual([0, 511]);
  });

  it('takes back what it gave', () => {
    const vram = new Vram(zone(64));
    const out = new Uint32Array(64);
    const id = vram.alloc(8, out) as VramAllocationId;
    expect(vram.isFree(pfn(out[0]))).toBe(false);
    vram.release(id);
    expect([vram.freePages, vram.isFree(pfn(vram.zone.firstPfn))]).toEqual([64, true]);
  });

  it('asserts against releasing twice', () => {
    const vram = new Vram(zone(64));
    const id = vram.alloc(8, new Uint32Array(8)) as VramAllocationId;
    vram.release(id);
    expect(() => vram.release(id)).toThrow(AssertionFailure);
  });

  it('fails on request, and counts it', () => {
    const vram = new Vram(zone(64));
    vram.shouldFail = () => true;
    expect(vram.alloc(1, new Uint32Array(1))).toBe(Errno.ENOMEM);
    expect([vram.failures, vram.usedPages]).toEqual([1, 0]);
  });
});
