/** Where zones lie in the physical address space. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { PFN_MAX, pfn } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { ZoneKind } from '../../src/memory/zone.js';

const kind = ZoneKind.DevicePrivate;

describe('PhysicalLayout', () => {
  it('puts RAM at frame 512 and each VRAM at the next multiple of 512', () => {
    const layout = new PhysicalLayout({
      ramPages: 1000,
      vram: [
        { pages: 512, kind },
        { pages: 3, kind: ZoneKind.DeviceCoherent },
      ],
    });
    expect(layout.zones.map((zone) => [zone.id, zone.firstPfn, zone.pages, zone.deviceIndex])).toEqual([
      [0, 512, 1000, -1],
      [1, 1536, 512, 0],
      [2, 2048, 3, 1],
    ]);
    expect(layout.totalPages).toBe(2051);
    expect(layout.ram.kind).toBe(ZoneKind.System);
    expect(layout.vramOf(1).kind).toBe(ZoneKind.DeviceCoherent);
    expect(() => layout.vramOf(2)).toThrow(AssertionFailure);
    expect(() => layout.vramOf(-1)).toThrow(AssertionFailure);
  });

  it('finds the zone of each frame, and none for frames between zones', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(sizes, ([ramPages, ...vram]) => {
        const layout = new PhysicalLayout({ ramPages, vram: vram.map((pages) => ({ pages, kind })) });
        for (let frame = 0; frame < layout.totalPages + 600; frame++) {
          const zone = layout.zones.find((z) => frame >= z.firstPfn && frame < z.firstPfn + z.pages);
          if (layout.contains(frame) !== (zone !== undefined)) throw new Error(`contains(${frame})`);
          if (zone !== undefined && layout.zoneOf(pfn(frame)) !== zone) throw new Error(`zoneOf(${frame})`);
        }
      }),
      { numRuns: 30, seed: 20250101 },
    );
  });

  it('asserts that a frame has a zone', () => {
    const layout = new PhysicalLayout({ ramPages: 10, vram: [{ pages: 10, kind }] });
    for (const frame of [0, 511, 522, 1023, 1034]) {
      expect(() => layout.zoneOf(pfn(frame))).toThrow(AssertionFailure);
    }
    expect(layout.isDevicePrivate(pfn(1024))).toBe(true);
    expect(layout.isDevicePrivate(pfn(512))).toBe(false);
  });

  it('takes all of 16 GiB, and says so when that is not enough', () => {
    const full = PFN_MAX + 1 - 512;
    expect(new PhysicalLayout({ ramPages: full, vram: [] }).totalPages).toBe(PFN_MAX + 1);
    expect(() => new PhysicalLayout({ ramPages: full, vram: [{ pages: 1, kind }] })).toThrow(
      /vram0 take 16\.00 GiB; all zones together have at most 16 GiB/,
    );
  });

  it('rejects zones without pages', () => {
    expect(() => new PhysicalLayout({ ramPages: 0, vram: [] })).toThrow(RangeError);
    expect(() => new PhysicalLayout({ ramPages: 1, vram: [{ pages: 0.5, kind }] })).toThrow(/vram0 has 0.5/);
  });
});
