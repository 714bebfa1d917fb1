/** The physical address map: which page frames belong to RAM and which to each device's VRAM. */

import { AssertionFailure, assert } from '../base/assert.js';
import { alignUp, PAGE_BYTES, PMD_PAGES } from '../base/units.js';
import { formatPfn, PFN_MAX, type Pfn, pfn } from './pfn.js';
import { type Zone, ZoneKind } from './zone.js';

/** What a layout is made from; plain data, so it can be sent to a worker, which makes the same layout from it. */
export interface PhysicalLayoutSpec {
  readonly ramPages: number;
  readonly vram: readonly VramSpec[];
}

export interface VramSpec {
  readonly pages: number;
  readonly kind: ZoneKind;
}

const NO_ZONE = 255;
const MAX_DEVICES = NO_ZONE - 1;

/**
 * Zone 0 starts at frame 512, each further zone at the next multiple of 512 after the one before. Frames below 512 and
 * those between zones belong to nothing. Immutable.
 */
export class PhysicalLayout {
  readonly spec: PhysicalLayoutSpec;
  readonly zones: readonly Zone[];
  /** One past the last frame of the last zone, so also the size of the physical address space in pages. */
  readonly totalPages: number;
  private readonly zoneOfBlock: Uint8Array;

  /** @throws RangeError when a zone is empty or the zones do not fit below {@link PFN_MAX}. */
  constructor(spec: PhysicalLayoutSpec) {
    if (spec.vram.length > MAX_DEVICES) {
      throw new RangeError(`${spec.vram.length} devices; at most ${MAX_DEVICES} fit in one layout`);
    }
    this.spec = spec;
    this.zones = placeZones(spec);
    const last = this.zones[this.zones.length - 1];
    this.totalPages = last.firstPfn + last.pages;
    this.zoneOfBlock = indexBlocks(this.zones, this.totalPages);
  }

  /**
   * Frames below all zones, by device: what is stored to memory that is none goes there, and nobody sees it. There are as many as a device number can say.
   */
  static readonly sinkFrames = PMD_PAGES;

  get ram(): Zone {
    return this.zones[0];
  }

  vramOf(deviceIndex: number): Zone {
    const zone = this.zones[1 + deviceIndex];
    assert(deviceIndex >= 0 && zone !== undefined, () => `no device ${deviceIndex} in this layout`);
    return zone;
  }

  /** The zone that a frame lies in; asserts that there is one. O(1). @kernel page_pgmap, folio_zone */
  zoneOf(page: Pfn): Zone {
    const zone = this.zones[this.zoneOfBlock[page >>> 9]];
    if (zone === undefined || page - zone.firstPfn >= zone.pages) {
      throw new AssertionFailure(`pfn ${formatPfn(page)} is in no zone`);
    }
    return zone;
  }

  /** Whether a number is a frame of some zone. */
  contains(page: number): boolean {
    const zone = this.zones[this.zoneOfBlock[Math.floor(page / PMD_PAGES)]];
    return zone !== undefined && page - zone.firstPfn < zone.pages;
  }

  /** @kernel is_device_private_page */
  isDevicePrivate(page: Pfn): boolean {
    return this.zoneOf(page).kind === ZoneKind.DevicePrivate;
  }

  /** Of some device's memory, whether the CPU reaches it or not. @kernel is_zone_device_page */
  isDevice(page: Pfn): boolean {
    return this.zoneOf(page).kind !== ZoneKind.System;
  }
}

function placeZones(spec: PhysicalLayoutSpec): Zone[] {
  const zones: Zone[] = [];
  let first = PMD_PAGES;
  const place = (name: string, kind: ZoneKind, pages: number): void => {
    checkZoneFits(name, first, pages);
    zones.push({ id: zones.length, name, kind, firstPfn: pfn(first), pages, deviceIndex: zones.length - 1 });
    first = afterZone(first, pages);
  };
  place('ram', ZoneKind.System, spec.ramPages);
  spec.vram.forEach((vram, device) => {
    place(`vram${device}`, vram.kind, vram.pages);
  });
  return zones;
}

/** No zone lies within an aligned block of another one. */
function afterZone(first: number, pages: number): number {
  return alignUp(first + pages, PMD_PAGES);
}

/** Pages of the address space of a layout that may be too large to be made, up to the end of its last block. */
export function spannedPages({ ramPages, vram }: PhysicalLayoutSpec): number {
  return [ramPages, ...vram.map(({ pages }) => pages)].reduce(
    (first, pages) => afterZone(first, pages),
    PMD_PAGES,
  );
}

function checkZoneFits(name: string, first: number, pages: number): void {
  if (!Number.isInteger(pages) || pages < 1) {
    throw new RangeError(`${name} has ${pages} pages; it needs a whole number of at least 1`);
  }
  if (first + pages > PFN_MAX + 1) {
    const limitGib = ((PFN_MAX + 1) * PAGE_BYTES) / 2 ** 30;
    const needGib = (((first + pages) * PAGE_BYTES) / 2 ** 30).toFixed(2);
    throw new RangeError(
      `RAM and VRAM up to ${name} take ${needGib} GiB; all zones together have at most ${limitGib} GiB`,
    );
  }
}

function indexBlocks(zones: readonly Zone[], totalPages: number): Uint8Array {
  const blocks = new Uint8Array(Math.ceil(totalPages / PMD_PAGES)).fill(NO_ZONE);
  for (const zone of zones) {
    blocks.fill(zone.id, zone.firstPfn / PMD_PAGES, Math.ceil((zone.firstPfn + zone.pages) / PMD_PAGES));
  }
  return blocks;
}
