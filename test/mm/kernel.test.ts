/** What all of the mm shares: the zero page, the allocator, the memory of devices, and the TLBs of all CPUs. */

import { describe, expect, it } from 'vitest';
import { NO_PFN, pfn } from '../../src/memory/pfn.js';
import { pagemapOwner } from '../../src/mm/migrate/devPagemap.js';
import { makeKernel, makeMachine, TestDevice } from './harness.js';

describe('the kernel', () => {
  it('has a page of zeros that belongs to nobody', () => {
    const kernel = makeKernel();
    expect(kernel.memory.isZero(kernel.zeroPage)).toBe(true);
    expect([kernel.folios.refcount(kernel.zeroPage), kernel.folios.mapcount(kernel.zeroPage)]).toEqual([
      1, 0,
    ]);
    expect(kernel.ram.usedPages).toBe(1);
  });

  it('gives pages with one reference until there are none, and takes them back with the last reference', () => {
    const kernel = makeKernel({ ramPages: 4 });
    const pages = [0, 1, 2].map(() => kernel.allocPage());
    expect(new Set([...pages, kernel.zeroPage]).size).toBe(4);
    expect(kernel.allocPage()).toBe(NO_PFN);
    kernel.folios.put(pages[1]);
    expect(kernel.allocPage()).toBe(pages[1]);
  });

  it('knows whose memory a page is, and frees it there', () => {
    const kernel = makeKernel({ vramPages: [16, 16] });
    const [first, second] = [new TestDevice(kernel, 0), new TestDevice(kernel, 1)];
    const page = pfn(second.vram.alloc(0));
    expect(kernel.pagemapOf(page)).toBe(second.pagemap);
    expect(kernel.pagemapOf(kernel.zeroPage)).toBe(null);
    expect(first.pagemap.owner).toBe(pagemapOwner(100));
    kernel.folios.prepareNew(page, 0, 1);
    kernel.folios.put(page);
    expect(second.vram.usedPages).toBe(0);
  });

  it('flushes the TLBs of all CPU threads', () => {
    const { kernel, brackets } = makeMachine({ cpuThreads: 3 });
    const generations = (): number[] =>
      brackets.map((bracket) => {
        const generation = bracket.enter();
        bracket.exit();
        return generation;
      });
    const before = generations();
    kernel.flushCpuTlbs();
    expect(generations().every((generation, i) => generation > before[i])).toBe(true);
  });
});
