/** A TLB in front of a page table: it may answer late, never wrongly. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { vpn } from '../../src/base/units.js';
import { type GpuPte, gpuPte, gpuPteAllows, NO_GPU_PTE } from '../../src/device/gpuPte.js';
import { GpuTlb, type GpuTlbConfig } from '../../src/device/gpuTlb.js';
import { systemAddr } from './harness.js';

const config = fc.constantFrom<GpuTlbConfig>(
  { entries: 1, ways: 1 },
  { entries: 8, ways: 1 },
  { entries: 8, ways: 2 },
  { entries: 16, ways: 4 },
  { entries: 4, ways: 4 },
);
/** Pages that collide in small TLBs, also those that agree in their low 32 bits. */
const page = fc.tuple(fc.constantFrom(1, 2 ** 32), fc.nat(4)).map(([base, i]) => base + i);

function entry(n: number, write: boolean): GpuPte {
  return gpuPte(systemAddr(n), 0, write);
}

/** A page table that remembers, per page, all that a walk could have answered since the page was last invalidated. */
class RememberingTable {
  private readonly now = new Map<number, GpuPte>();
  private readonly since = new Map<number, Set<GpuPte>>();

  read(page: number): GpuPte {
    return this.now.get(page) ?? NO_GPU_PTE;
  }

  write(page: number, pte: GpuPte): void {
    this.answersOf(page);
    this.now.set(page, pte);
    this.answersOf(page).add(pte);
  }

  invalidate(page: number, npages: number): void {
    for (let i = 0; i < npages; i++) this.since.delete(page + i);
  }

  answersOf(page: number): Set<GpuPte> {
    let answers = this.since.get(page);
    if (answers === undefined) {
      answers = new Set([this.read(page)]);
      this.since.set(page, answers);
    }
    return answers;
  }
}

/** As the MMU does it. */
function access(tlb: GpuTlb, table: RememberingTable, page: number, write: boolean): GpuPte {
  const cached = tlb.lookup(vpn(page), write);
  if (cached !== NO_GPU_PTE) return cached;
  const walked = table.read(page);
  if (!gpuPteAllows(walked, write)) return NO_GPU_PTE;
  tlb.fill(vpn(page), walked);
  return walked;
}

describe('GpuTlb', () => {
  it('never answers what no walk would have answered since the last invalidation', () => {
    const operation = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('bind' as const),
          page,
          n: fc.integer({ min: 1, max: 500 }),
          write: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('zap' as const), page }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('invalidate' as const),
          page,
          npages: fc.constantFrom(1, 2, 3, 1000),
        }),
      },
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant('access' as const), page, write: fc.boolean() }),
      },
    );
    let hits = 0;
    let stale = 0;
    fc.assert(
      fc.property(config, fc.array(operation, { maxLength: 150, size: 'max' }), (size, operations) => {
        const tlb = new GpuTlb(size);
        const table = new RememberingTable();
        for (const op of operations) {
          if (op.kind === 'bind') table.write(op.page, entry(op.n, op.write));
          else if (op.kind === 'zap') table.write(op.page, NO_GPU_PTE);
          else if (op.kind === 'invalidate') {
            tlb.invalidate(vpn(op.page), op.npages);
            table.invalidate(op.page, op.npages);
          } else {
            if (tlb.lookup(vpn(op.page), op.write) !== NO_GPU_PTE) hits++;
            const answer = access(tlb, table, op.page, op.write);
            if (answer !== table.read(op.page) && answer !== NO_GPU_PTE) stale++;
            expect(gpuPteAllows(answer, op.write)).toBe(answer !== NO_GPU_PTE);
            if (answer !== NO_GPU_PTE) expect(table.answersOf(op.page).has(answer)).toBe(true);
            else expect(gpuPteAllows(table.read(op.page), op.write)).toBe(false);
          }
          const seen = new Set<number>();
          tlb.forEach((at, pte) => {
            if (seen.has(at)) throw new Error(`page ${at} has two entries`);
            if (!table.answersOf(at).has(pte)) throw new Error(`entry of page ${at} was never in the table`);
            seen.add(at);
          });
        }
      }),
      { numRuns: 150, seed: 20250101 },
    );
    // The property would hold of a TLB that is always empty, too.
    expect(hits).toBeGreaterThan(500);
    expect(stale).toBeGreaterThan(50);
  });

  it('keeps as many pages of one set as it has ways, and then replaces in turn', () => {
    const tlb = new GpuTlb({ entries: 8, ways: 2 });
    for (const [i, at] of [0, 4, 8, 12].entries()) tlb.fill(vpn(at), entry(i + 1, true));
    const kept: number[] = [];
    tlb.forEach((at) => {
      kept.push(at);
    });
    expect(kept).toEqual([8, 12]);
    expect(tlb.evictions).toBe(2);
    tlb.fill(vpn(1), entry(9, true));
    expect(tlb.evictions).toBe(2);
  });

  it('misses a store on a read-only entry, which a later fill replaces', () => {
    const tlb = new GpuTlb({ entries: 8, ways: 2 });
    tlb.fill(vpn(3), entry(1, false));
    expect([tlb.lookup(vpn(3), false), tlb.lookup(vpn(3), true)]).toEqual([entry(1, false), NO_GPU_PTE]);
    tlb.fill(vpn(3), entry(1, true));
    expect(tlb.lookup(vpn(3), true)).toBe(entry(1, true));
    expect(tlb.invalidate(vpn(3), 1)).toBe(1);
    expect(tlb.lookup(vpn(3), false)).toBe(NO_GPU_PTE);
  });

  it('forgets the same entries for a range shorter and longer than itself', () => {
    const dropped = [3, 4, 5, 6, 1000, 2 ** 34].map((npages) => {
      const tlb = new GpuTlb({ entries: 8, ways: 2 });
      const base = 2 ** 33;
      for (const at of [base - 1, base, base + 2, base + 4, base + 6]) tlb.fill(vpn(at), entry(1, true));
      const count = tlb.invalidate(vpn(base), npages);
      expect(tlb.lookup(vpn(base - 1), false)).not.toBe(NO_GPU_PTE);
      expect(tlb.lookup(vpn(base), false)).toBe(NO_GPU_PTE);
      return count;
    });
    expect(dropped).toEqual([2, 2, 3, 3, 4, 4]);
  });

  it('refuses sizes that are no powers of two', () => {
    for (const size of [
      { entries: 12, ways: 1 },
      { entries: 8, ways: 3 },
      { entries: 2, ways: 4 },
      { entries: 0, ways: 1 },
    ]) {
      expect(() => new GpuTlb(size)).toThrow(AssertionFailure);
    }
  });
});
