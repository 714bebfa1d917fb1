/** A GPU's accesses: through TLB and page table, system pages through the IOMMU each time. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { PAGE_WORDS, vpn } from '../../src/base/units.js';
import { DmaDir, dmaPage } from '../../src/memory/dmaAddr.js';
import { StepLog, TestGpu, vramAddr } from './harness.js';

const PAGE = vpn(0x7f0000123);

describe('GpuMmu', () => {
  it('leads to system memory, own VRAM and a peer, and counts which', () => {
    const test = new TestGpu();
    test.gpu.allocVram(1, test.array(1));
    const own = test.arrays.view(test.array(1))[0];
    const peer = test.vramPfn(1, 4);
    const addrs = test.addrs(0, [test.mapRam(3), vramAddr(own), test.mapPeer(1, 4)]);
    expect(test.gpu.bind(PAGE, 3, addrs, true)).toBe(Errno.OK);
    const bases = [0, 1, 2].map((i) => test.gpu.mmu.tryPage(vpn(PAGE + i), true));
    expect(bases).toEqual([test.ram(3), own, peer].map((frame) => frame * PAGE_WORDS));
    expect(test.gpu.mmu.counters).toEqual({
      tlbMisses: 3,
      pageFaults: 0,
      systemAccesses: 1,
      vramAccesses: 1,
      peerAccesses: 1,
    });
  });

  it('faults where nothing is bound, and on a store where only loads may go', () => {
    const test = new TestGpu();
    const { mmu } = test.gpu;
    expect([mmu.tryPage(PAGE, false), mmu.tryPage(PAGE, true)]).toEqual([-1, -1]);
    const addrs = test.addrs(0, [test.mapRam(0, DmaDir.ToDevice)]);
    test.gpu.bind(PAGE, 1, addrs, false);
    expect([mmu.tryPage(PAGE, false), mmu.tryPage(PAGE, true)]).toEqual([test.ram(0) * PAGE_WORDS, -1]);
    expect(mmu.counters).toMatchObject({ pageFaults: 3, tlbMisses: 4, systemAccesses: 1 });
  });

  it('counts an atomic that faults though its page is there', () => {
    const test = new TestGpu();
    const { mmu } = test.gpu;
    test.gpu.bind(PAGE, 1, test.addrs(0, [test.mapRam(0)]), true);
    expect([mmu.tryPage(PAGE, true), mmu.tryAtomic(PAGE)]).toEqual([test.ram(0) * PAGE_WORDS, -1]);
    // The atomic itself did not get to the memory.
    expect(mmu.counters).toMatchObject({ pageFaults: 1, tlbMisses: 1, systemAccesses: 1 });
  });

  it('notices a translation of an atomic that leads to nowhere any more', () => {
    const test = new TestGpu();
    const { gpu } = test;
    const addr = test.mapRam(0);
    gpu.bind(PAGE, 1, test.addrs(0, [addr]), true);
    gpu.mmu.tryPage(PAGE, true);
    gpu.zap(PAGE, 1);
    test.mapper.unmap(dmaPage(addr));
    expect(() => gpu.mmu.tryAtomic(PAGE)).toThrow(AssertionFailure);
  });

  it('uses a zapped entry until the TLB is invalidated, and not after', () => {
    const test = new TestGpu();
    const { gpu } = test;
    gpu.bind(PAGE, 1, test.addrs(0, [test.mapRam(0)]), true);
    const base = gpu.mmu.tryPage(PAGE, true);
    gpu.zap(PAGE, 1);
    expect(gpu.mmu.tryPage(PAGE, true)).toBe(base);
    gpu.invalidateTlb(PAGE, 1);
    expect(gpu.mmu.tryPage(PAGE, true)).toBe(-1);
  });

  it('catches an access after the DMA mapping has ended, at a TLB hit too, and says which', () => {
    const test = new TestGpu();
    const { gpu } = test;
    const log = new StepLog('device.iommuFault');
    test.sched.observer = log;
    const addr = test.mapRam(7);
    gpu.bind(PAGE, 1, test.addrs(0, [addr]), true);
    expect(gpu.mmu.tryPage(PAGE, true)).toBe(test.ram(7) * PAGE_WORDS);
    test.mapper.unmap(dmaPage(addr));
    expect(() => gpu.mmu.tryPage(PAGE, true)).toThrow(AssertionFailure);
    expect(() => gpu.mmu.tryPage(PAGE, false)).toThrow(
      /gpu0 loads from page 0x7f0000123000 through I\/O page 0x1, which its IOMMU does not map/,
    );
    const fault = { device: 0, page: PAGE, iova: dmaPage(addr) };
    expect(gpu.mmu.iommuFaults).toEqual([
      { ...fault, write: true },
      { ...fault, write: false },
    ]);
    expect(log.lines).toEqual([` 0 ${PAGE} 1 1`, ` 0 ${PAGE} 0 1`]);
    // The I/O page stands for something else only after all others have been used.
    test.mapRam(8);
    expect(() => gpu.mmu.tryPage(PAGE, false)).toThrow(AssertionFailure);
  });

  it('catches an access to a peer after the mapping has ended, or beyond its direction', () => {
    const test = new TestGpu();
    const { gpu, iommu } = test;
    const frame = test.vramPfn(1, 4);
    gpu.bind(PAGE, 1, test.addrs(0, [test.mapPeer(1, 4)]), true);
    iommu.peers.map(frame, 1, DmaDir.ToDevice);
    expect(gpu.mmu.tryPage(PAGE, true)).toBe(frame * PAGE_WORDS);
    iommu.peers.unmap(frame, 1, DmaDir.Bidirectional);
    expect(() => gpu.mmu.tryPage(PAGE, true)).toThrow(
      `gpu0 stores to page 0x7f0000123000 through frame 0x${frame.toString(16)} of a peer, which its IOMMU does not map`,
    );
    expect(gpu.mmu.tryPage(PAGE, false)).toBe(frame * PAGE_WORDS);
    iommu.peers.unmap(frame, 1, DmaDir.ToDevice);
    expect(() => gpu.mmu.tryPage(PAGE, false)).toThrow(AssertionFailure);
    expect(gpu.mmu.iommuFaults).toEqual([
      { device: 0, page: PAGE, iova: frame, write: true },
      { device: 0, page: PAGE, iova: frame, write: false },
    ]);
  });
});
