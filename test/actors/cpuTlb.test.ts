/** A CPU thread's TLB: what it remembers, for which accesses, and how it forgets. */

import { describe, expect, it } from 'vitest';
import { CpuTlb } from '../../src/actors/cpuTlb.js';
import { vpn } from '../../src/base/units.js';
import { NO_PFN, pfn } from '../../src/memory/pfn.js';

const HIGH = 2 ** 34;

describe('a CPU TLB', () => {
  it('knows nothing at first, not even page 0', () => {
    const tlb = new CpuTlb();
    expect([tlb.lookup(vpn(0), false), tlb.lookup(vpn(HIGH), true)]).toEqual([NO_PFN, NO_PFN]);
  });

  it('remembers a translation for loads, and for stores if it was made for them', () => {
    const tlb = new CpuTlb();
    tlb.fill(vpn(HIGH + 1), pfn(2 ** 22 - 1), false);
    tlb.fill(vpn(HIGH + 2), pfn(2 ** 22 - 1), true);
    const found = [1, 2].map((i) => [tlb.lookup(vpn(HIGH + i), false), tlb.lookup(vpn(HIGH + i), true)]);
    expect(found).toEqual([
      [2 ** 22 - 1, NO_PFN],
      [2 ** 22 - 1, 2 ** 22 - 1],
    ]);
  });

  it('takes a later translation over an earlier one', () => {
    const tlb = new CpuTlb();
    tlb.fill(vpn(7), pfn(600), false);
    tlb.fill(vpn(7), pfn(601), true);
    expect(tlb.lookup(vpn(7), true)).toBe(601);
  });

  it('does not take one page for another that shares its place', () => {
    const tlb = new CpuTlb();
    tlb.fill(vpn(7), pfn(600), true);
    expect(tlb.lookup(vpn(7 + 512), false)).toBe(NO_PFN);
    expect(tlb.lookup(vpn(7 + 2 ** 32), false)).toBe(NO_PFN);
    tlb.fill(vpn(7 + 512), pfn(601), true);
    expect([tlb.lookup(vpn(7), false), tlb.lookup(vpn(7 + 512), false)]).toEqual([NO_PFN, 601]);
  });

  it('forgets everything in a flush', () => {
    const tlb = new CpuTlb();
    for (let i = 0; i < 600; i++) tlb.fill(vpn(i), pfn(600 + i), true);
    tlb.flush();
    tlb.flush();
    for (let i = 0; i < 600; i++) expect(tlb.lookup(vpn(i), false)).toBe(NO_PFN);
  });
});
