/** The allocator of system RAM. */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errno.js';
import { AllocSite, FailureInjector } from '../../src/memory/failureInjector.js';
import { pfn } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { RamAllocator } from '../../src/memory/ramAllocator.js';
import { ZoneKind } from '../../src/memory/zone.js';

const layout = new PhysicalLayout({ ramPages: 3, vram: [{ pages: 512, kind: ZoneKind.DevicePrivate }] });

describe('RamAllocator', () => {
  it('hands out the frames of zone 0 and nothing else', () => {
    const ram = new RamAllocator(layout);
    expect([ram.allocPage(), ram.allocPage(), ram.allocPage()]).toEqual([512, 513, 514]);
    expect(ram.allocPage()).toBe(Errno.ENOMEM);
    expect([ram.freePages, ram.usedPages, ram.totalPages, ram.failures]).toEqual([0, 3, 3, 1]);
    ram.free(pfn(513), 0);
    expect(ram.isFree(pfn(513))).toBe(true);
    expect(ram.isFree(pfn(512))).toBe(false);
    expect(ram.allocPage()).toBe(513);
  });

  it('knows how far its memory was ever handed out, which pages that wait on the list were not', () => {
    const ram = new RamAllocator(new PhysicalLayout({ ramPages: 64, vram: [] }));
    expect(ram.touchedEnd).toBe(0);
    const first = ram.allocPage();
    expect(ram.touchedEnd).toBe(first + 1);
    const pair = ram.alloc(1);
    expect(ram.touchedEnd).toBe(pair + 2);
    ram.free(pfn(pair), 1);
    expect(ram.touchedEnd).toBe(pair + 2);
  });

  it('fails exactly the allocations that failure injection names', () => {
    const ram = new RamAllocator(layout);
    ram.injector = new FailureInjector();
    ram.injector.failNext(AllocSite.HugePage);
    expect([ram.allocPage(), ram.alloc(1), ram.allocPage()]).toEqual([512, Errno.ENOMEM, 513]);
    expect([ram.usedPages, ram.failures]).toEqual([2, 1]);
  });
});
