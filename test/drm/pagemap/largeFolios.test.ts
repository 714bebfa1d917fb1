/** drm_pagemap with large folios: a huge page moves as one folio, and is split where either side has only small pages. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/base/errno.js';
import { PMD_ORDER, PMD_PAGES, vpn } from '../../../src/base/units.js';
import { NO_PFN, type Pfn } from '../../../src/memory/pfn.js';
import { Prot } from '../../../src/mm/area/mmap.js';
import { ThpMode } from '../../../src/mm/kernel.js';
import { PteKind, pteIsHuge, pteKind } from '../../../src/mm/table/pte.js';
import { pteOf } from '../../mm/harness.js';
import { DrmMachine, type TestGpu } from '../harness.js';

/** Aligned to a huge page. */
const AREA = 0x10000;

let drm: DrmMachine;
let a: TestGpu;
let b: TestGpu;

beforeEach(() => {
  drm = new DrmMachine({ ramPages: 4 * PMD_PAGES, vramPages: [2 * PMD_PAGES, 2 * PMD_PAGES] });
  drm.kernel.thp = ThpMode.Always;
  [a, b] = drm.gpus;
});

/** One huge page of RAM, with the number of each page in it. */
function mapHuge(): void {
  drm.mapFilled(AREA, PMD_PAGES);
  expect(isLeaf()).toBe(true);
}

function isLeaf(): boolean {
  return pteIsHuge(pteOf(drm.mm, AREA));
}

function orderOf(page: number): number {
  return drm.kernel.folios.order(drm.pfnOf(page));
}

function numbers(): number[] {
  return Array.from({ length: PMD_PAGES }, (_, i) => AREA + i);
}

function zddRefs(page: number): number {
  return drm.zdds.get(drm.kernel.folios.zoneData(drm.pfnOf(page))).refs;
}

describe('a huge page', () => {
  it('goes to the device and comes home as one folio, with one reference of the zone device data', () => {
    mapHuge();
    expect(drm.run(a.migrateHere(AREA, PMD_PAGES))).toBe(Errno.OK);
    expect([isLeaf(), pteKind(pteOf(drm.mm, AREA)), orderOf(AREA)]).toEqual([
      true,
      PteKind.DevicePrivate,
      PMD_ORDER,
    ]);
    expect(drm.peek(AREA, PMD_PAGES)).toEqual(numbers());
    expect(zddRefs(AREA)).toBe(1);
    drm.checkAtRest();
    expect(drm.read(AREA, PMD_PAGES)).toEqual(numbers());
    expect([isLeaf(), orderOf(AREA), new Set(drm.places(AREA, PMD_PAGES))]).toEqual([
      true,
      PMD_ORDER,
      new Set(['ram']),
    ]);
    expect(a.released).toHaveLength(1);
    drm.checkAtRest();
  });

  it('that was never touched becomes one folio of zeros on the device', () => {
    drm.map(AREA, PMD_PAGES);
    expect(drm.run(a.migrateHere(AREA, PMD_PAGES))).toBe(Errno.OK);
    expect([isLeaf(), orderOf(AREA)]).toEqual([true, PMD_ORDER]);
    expect(drm.peek(AREA, PMD_PAGES)).toEqual(new Array(PMD_PAGES).fill(0));
    drm.checkAtRest();
  });

  it('is split when the device memory is not one block', () => {
    mapHuge();
    // Takes the first page of every block, so that no allocation can be aligned.
    const small = a.allocate(1);
    expect(drm.run(a.migrateHere(AREA, PMD_PAGES))).toBe(Errno.OK);
    expect([isLeaf(), orderOf(AREA), zddRefs(AREA)]).toEqual([false, 0, PMD_PAGES]);
    expect(drm.peek(AREA, PMD_PAGES)).toEqual(numbers());
    drm.checkAtRest();
    a.devmemRelease(small);
  });

  it('is split when only part of it migrates', () => {
    mapHuge();
    expect(drm.run(a.migrateHere(AREA + 16, 16))).toBe(Errno.OK);
    expect(drm.places(AREA + 14, 4)).toEqual(['ram', 'ram', 'vram0', 'vram0']);
    expect(drm.read(AREA, PMD_PAGES)).toEqual(numbers());
    drm.checkAtRest();
  });

  it('goes from device to device without a stop in RAM', () => {
    mapHuge();
    drm.run(a.migrateHere(AREA, PMD_PAGES));
    expect(drm.run(b.migrateHere(AREA, PMD_PAGES))).toBe(Errno.OK);
    expect([isLeaf(), orderOf(AREA), new Set(drm.places(AREA, PMD_PAGES))]).toEqual([
      true,
      PMD_ORDER,
      new Set(['vram1']),
    ]);
    expect(a.copies).toEqual([`to devmem ${PMD_PAGES}`, `to ram ${PMD_PAGES}`]);
    expect(a.released).toHaveLength(1);
    expect(drm.peek(AREA, PMD_PAGES)).toEqual(numbers());
    drm.checkAtRest();
  });

  it('is evicted as one folio', () => {
    mapHuge();
    drm.run(a.migrateHere(AREA, PMD_PAGES));
    expect(drm.run(drm.migrate.evictToRam(a.live[0]))).toBe(Errno.OK);
    expect([isLeaf(), orderOf(AREA), new Set(drm.places(AREA, PMD_PAGES))]).toEqual([
      true,
      PMD_ORDER,
      new Set(['ram']),
    ]);
    expect(drm.peek(AREA, PMD_PAGES)).toEqual(numbers());
    drm.checkAtRest();
  });
});

describe('a huge page on the device', () => {
  beforeEach(() => {
    mapHuge();
    drm.run(a.migrateHere(AREA, PMD_PAGES));
  });

  it('comes home as small pages when there is no huge page of RAM', () => {
    const { kernel } = drm;
    const taken: Pfn[] = [];
    for (let page = kernel.allocPage(); page !== NO_PFN; page = kernel.allocPage()) taken.push(page);
    for (const page of taken) if (page % PMD_PAGES !== 0) kernel.folios.put(page);
    expect(drm.read(AREA, PMD_PAGES)).toEqual(numbers());
    expect(new Set(drm.places(AREA, PMD_PAGES))).toEqual(new Set(['ram']));
    expect([isLeaf(), orderOf(AREA)]).toEqual([false, 0]);
    for (const page of taken) if (page % PMD_PAGES === 0) kernel.folios.put(page);
    drm.checkAtRest();
  });

  it('loses the part that is unmapped, and what is left comes home', () => {
    drm.run(drm.machine.calls.memoryMap.munmap(drm.mm, vpn(AREA + 128), 64));
    expect(drm.read(AREA, 128)).toEqual(numbers().slice(0, 128));
    expect(drm.read(AREA + 192, 320)).toEqual(numbers().slice(192));
    expect(a.live).toEqual([]);
    drm.checkAtRest();
  });

  it('stays as a whole under mprotect of a part, and a store finds it in RAM', () => {
    drm.run(drm.machine.calls.mprotect.mprotect(drm.mm, vpn(AREA), 64, Prot.Read));
    expect(new Set(drm.places(AREA, PMD_PAGES))).toEqual(new Set(['vram0']));
    expect(drm.run(drm.cpu.store(AREA, 1))).toBe(Errno.EFAULT);
    expect(drm.run(drm.cpu.store(AREA + 64, 7))).toBe(Errno.OK);
    expect(drm.read(AREA, PMD_PAGES)).toEqual(numbers().map((n) => (n === AREA + 64 ? 7 : n)));
    drm.checkAtRest();
  });
});
