/** Bytes of the physical address space. */

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { PAGE_BYTES } from '../../src/base/units.js';
import { pfn } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { PhysicalMemory } from '../../src/memory/physicalMemory.js';
import { ZoneKind } from '../../src/memory/zone.js';

const layout = new PhysicalLayout({ ramPages: 16, vram: [{ pages: 8, kind: ZoneKind.DevicePrivate }] });
const ram = layout.ram.firstPfn;
const vram = layout.vramOf(0).firstPfn;

describe('PhysicalMemory', () => {
  it('is zero when fresh, and a single byte makes a page non-zero', () => {
    const memory = PhysicalMemory.allocate(layout);
    expect(memory.isZero(ram)).toBe(true);
    memory.bytes[(ram + 1) * PAGE_BYTES - 1] = 1;
    expect(memory.isZero(ram)).toBe(false);
    expect(memory.isZero(pfn(ram + 1))).toBe(true);
    memory.zeroPages(ram, 1);
    expect(memory.isZero(ram)).toBe(true);
  });

  it('copies whole pages between zones and nothing beside them', () => {
    const memory = PhysicalMemory.allocate(layout);
    for (let page = 0; page < 3; page++) memory.words[memory.wordIndex(ram + page) + 1023] = 100 + page;
    memory.copyPages(pfn(vram + 2), pfn(ram + 1), 2);
    expect(memory.words[memory.wordIndex(vram + 2) + 1023]).toBe(101);
    expect(memory.words[memory.wordIndex(vram + 3) + 1023]).toBe(102);
    expect(memory.isZero(pfn(vram + 1))).toBe(true);
    expect(memory.isZero(pfn(vram + 4))).toBe(true);
  });

  it('shows the same bytes to every view of the buffer', () => {
    const memory = PhysicalMemory.allocate(layout);
    const other = new PhysicalMemory(memory.buffer, new PhysicalLayout(layout.spec));
    memory.floats[memory.wordIndex(vram)] = 1;
    expect(other.uwords[other.wordIndex(vram)]).toBe(0x3f800000);
    other.doubles[other.wordIndex(vram) / 2] = -1;
    expect(memory.words[memory.wordIndex(vram) + 1] >>> 0).toBe(0xbff00000);
  });

  it('asserts that page runs stay within one zone', () => {
    const memory = PhysicalMemory.allocate(layout);
    expect(() => memory.copyPages(pfn(vram + 7), ram, 2)).toThrow(AssertionFailure);
    expect(() => memory.copyPages(vram, pfn(ram + 15), 2)).toThrow(AssertionFailure);
    expect(() => memory.zeroPages(pfn(0), 1)).toThrow(AssertionFailure);
    expect(() => memory.zeroPages(ram, 0)).toThrow(AssertionFailure);
  });

  it('rejects a buffer of another layout', () => {
    expect(() => new PhysicalMemory(new SharedArrayBuffer(PAGE_BYTES), layout)).toThrow(AssertionFailure);
  });
});
