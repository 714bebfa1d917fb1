/** Folio metadata: counts, the lock, and what must hold when a page is freed. */

import { beforeEach, describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { FolioFlag, FolioTable } from '../../src/memory/folios.js';
import { type Pfn, pfn } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { ZoneKind } from '../../src/memory/zone.js';

const layout = new PhysicalLayout({ ramPages: 1024, vram: [{ pages: 512, kind: ZoneKind.DevicePrivate }] });
const ram = layout.ram.firstPfn;
const vram = layout.vramOf(0).firstPfn;
const task = 7;

let folios: FolioTable;
let freed: [Pfn, number][];

beforeEach(() => {
  folios = FolioTable.allocate(layout);
  freed = [];
  folios.setReleaser(0, (page, order) => freed.push([page, order]));
});

describe('references', () => {
  it('free the page through its zone when the last one goes', () => {
    folios.prepareNew(ram, 0, 1);
    folios.get(ram);
    folios.put(ram);
    expect(freed).toEqual([]);
    folios.put(ram);
    expect(freed).toEqual([[ram, 0]]);
    expect(folios.refcount(ram)).toBe(0);
  });

  it('are taken from a free page by nobody', () => {
    expect(folios.tryGet(ram)).toBe(false);
    expect(() => folios.get(ram)).toThrow(AssertionFailure);
    expect(() => folios.put(ram)).toThrow(AssertionFailure);
    folios.prepareNew(ram, 0, 1);
    expect(folios.tryGet(ram)).toBe(true);
    expect(folios.refcount(ram)).toBe(2);
  });

  it('are not set anew on a page in use (M5)', () => {
    folios.prepareNew(ram, 0, 1);
    expect(() => folios.prepareNew(ram, 0, 1)).toThrow(/in use/);
    expect(() => folios.initFree(ram)).toThrow(/in use/);
    expect(() => folios.prepareNew(pfn(ram + 1), 0, 0)).toThrow(AssertionFailure);
  });
});

describe('mappings', () => {
  it('are counted apart from references and never exceed them (M2)', () => {
    folios.prepareNew(ram, 0, 1);
    folios.addRmap(ram);
    expect(folios.mapcount(ram)).toBe(1);
    expect(() => folios.addRmap(ram)).toThrow(/mapped more often/);
  });

  it('keep the reference that they hold', () => {
    folios.prepareNew(ram, 0, 1);
    folios.addRmap(ram);
    expect(() => folios.put(ram)).toThrow(/a mapping holds/);
  });

  it('never go below zero', () => {
    folios.prepareNew(ram, 0, 1);
    expect(() => folios.removeRmap(ram)).toThrow(/once too often/);
  });

  it('say whose anonymous memory the folio is', () => {
    folios.prepareNew(ram, 0, 1);
    folios.setMapping(ram, 3, 2 ** 35 - 1);
    expect([folios.mapping(ram), folios.index(ram)]).toEqual([3, 2 ** 35 - 1]);
    expect(folios.testFlag(ram, FolioFlag.Anon)).toBe(true);
    folios.addRmap(ram);
    expect(() => folios.clearMapping(ram)).toThrow(/while it is mapped/);
    folios.removeRmap(ram);
    folios.clearMapping(ram);
    expect([folios.mapping(ram), folios.index(ram), folios.testFlag(ram, FolioFlag.Anon)]).toEqual([
      0,
      0,
      false,
    ]);
  });
});

describe('the folio lock', () => {
  it('has one owner, who alone releases it (M4)', () => {
    folios.prepareNew(ram, 0, 1);
    expect(folios.trylock(ram, task)).toBe(true);
    expect(folios.isLocked(ram)).toBe(true);
    expect(folios.trylock(ram, 8)).toBe(false);
    expect(folios.trylock(ram, task)).toBe(false);
    expect(folios.lockOwner(ram)).toBe(task);
    expect(() => folios.unlock(ram, 8)).toThrow(/task 8, which does not hold it/);
    folios.unlock(ram, task);
    expect(() => folios.unlock(ram, task)).toThrow(/was not locked/);
    expect([folios.isLocked(ram), folios.lockOwner(ram)]).toEqual([false, 0]);
  });

  it('always names its owner', () => {
    folios.prepareNew(ram, 0, 1);
    expect(() => folios.trylock(ram, 0)).toThrow(AssertionFailure);
    folios.trylock(ram, task);
    expect(() => folios.unlock(ram, 0)).toThrow(AssertionFailure);
  });

  it('is taken only on a page that somebody holds', () => {
    expect(() => folios.trylock(ram, task)).toThrow(AssertionFailure);
  });

  it('is not held by a page that is freed', () => {
    folios.prepareNew(ram, 0, 1);
    folios.trylock(ram, task);
    expect(() => folios.put(ram)).toThrow(/freed while it is locked/);
  });
});

describe('flags', () => {
  it('are set and cleared one by one, and all gone in the next life of the page', () => {
    folios.prepareNew(ram, 0, 1);
    for (const flag of [FolioFlag.Lru, FolioFlag.Dirty, FolioFlag.AnonExclusive, FolioFlag.Swapcache]) {
      folios.setFlag(ram, flag);
      expect(folios.testFlag(ram, flag)).toBe(true);
    }
    folios.clearFlag(ram, FolioFlag.Dirty);
    expect(folios.testFlag(ram, FolioFlag.Dirty)).toBe(false);
    expect(folios.testFlag(ram, FolioFlag.Lru)).toBe(true);
    folios.setMapping(ram, 4, 99);
    folios.put(ram);
    folios.prepareNew(ram, 0, 1);
    for (const flag of Object.values(FolioFlag)) expect(folios.testFlag(ram, flag)).toBe(false);
    expect([folios.mapping(ram), folios.index(ram)]).toEqual([0, 0]);
  });

  it('that follow from other calls are not set by hand', () => {
    folios.prepareNew(ram, 0, 1);
    expect(() => folios.setFlag(ram, FolioFlag.Locked)).toThrow(AssertionFailure);
    expect(() => folios.clearFlag(ram, FolioFlag.Large)).toThrow(AssertionFailure);
  });

  it('never put a device page on the LRU (M9)', () => {
    folios.prepareNew(vram, 0, 1);
    expect(() => folios.setFlag(vram, FolioFlag.Lru)).toThrow(/device memory/);
  });
});

describe('zone device data', () => {
  it('is given up by the releaser before the page counts as free (M5)', () => {
    folios.prepareNew(vram, 0, 1);
    folios.setZoneData(vram, 11);
    const released: number[] = [];
    folios.setReleaser(1, (page) => {
      released.push(folios.zoneData(page));
      folios.setZoneData(page, 0);
    });
    folios.put(vram);
    expect(released).toEqual([11]);
    folios.prepareNew(vram, 0, 1);
    expect(folios.zoneData(vram)).toBe(0);
  });

  it('that a releaser forgets is found', () => {
    folios.prepareNew(vram, 0, 1);
    folios.setZoneData(vram, 11);
    folios.setReleaser(1, () => {});
    expect(() => folios.put(vram)).toThrow(/keeps zone device data/);
  });

  it('belongs to device pages only', () => {
    folios.prepareNew(ram, 0, 1);
    expect(() => folios.setZoneData(ram, 1)).toThrow(/is RAM/);
  });
});

describe('large folios', () => {
  it('are named by any of their pages', () => {
    folios.prepareNew(ram, 3, 1);
    const tail = pfn(ram + 5);
    folios.get(tail);
    expect(folios.refcount(ram)).toBe(2);
    expect(folios.trylock(tail, task)).toBe(true);
    expect([folios.isLocked(ram), folios.lockOwner(ram)]).toEqual([true, task]);
    folios.unlock(ram, task);
    folios.setFlag(tail, FolioFlag.Dirty);
    expect(folios.testFlag(ram, FolioFlag.Dirty)).toBe(true);
    folios.setMapping(ram, 4, 100);
    expect([folios.mapping(tail), folios.index(tail)]).toEqual([4, 105]);
    folios.put(tail);
    folios.put(tail);
    expect(freed).toEqual([[ram, 3]]);
  });

  it('know which of their pages are exclusive', () => {
    folios.prepareNew(ram, 3, 1);
    folios.setFlag(pfn(ram + 5), FolioFlag.AnonExclusive);
    expect(folios.testFlag(ram, FolioFlag.AnonExclusive)).toBe(false);
    expect(folios.testFlag(pfn(ram + 5), FolioFlag.AnonExclusive)).toBe(true);
  });

  it('count mappings of single pages and of the whole', () => {
    folios.prepareNew(ram, 3, 2);
    folios.addEntireRmap(ram);
    folios.addRmap(pfn(ram + 1));
    expect([folios.mapcount(pfn(ram + 7)), folios.entireMapcount(ram)]).toEqual([2, 1]);
    expect([folios.pageMapcount(ram), folios.pageMapcount(pfn(ram + 1))]).toEqual([1, 2]);
    folios.removeRmap(pfn(ram + 1));
    folios.removeEntireRmap(ram);
    expect([folios.mapcount(ram), folios.pageMapcount(pfn(ram + 1))]).toEqual([0, 0]);
    expect(() => folios.removeEntireRmap(ram)).toThrow(/once too often/);
  });

  it('have one reference and one mapping per page once their leaf is split', () => {
    folios.prepareNew(ram, 3, 2);
    folios.addEntireRmap(ram);
    folios.setFlag(ram, FolioFlag.AnonExclusive);
    folios.entireRmapToPages(ram);
    expect([folios.refcount(ram), folios.mapcount(ram), folios.entireMapcount(ram)]).toEqual([9, 8, 0]);
    expect(folios.pageMapcount(pfn(ram + 6))).toBe(1);
    expect(folios.testFlag(pfn(ram + 6), FolioFlag.AnonExclusive)).toBe(true);
  });

  it('are partially mapped from the first page that is unmapped alone', () => {
    const noted: number[] = [];
    folios.partialMappingListener = (head) => noted.push(head);
    folios.prepareNew(ram, 3, 1);
    folios.addEntireRmap(ram);
    folios.entireRmapToPages(ram);
    expect(noted).toEqual([]);
    for (const page of [2, 3]) {
      folios.removeRmap(pfn(ram + page));
      folios.put(ram);
    }
    expect(noted).toEqual([ram]);
    expect(folios.testFlag(ram, FolioFlag.PartiallyMapped)).toBe(true);
  });

  it('split into pages that are locked, referenced and placed as the whole was', () => {
    folios.prepareNew(ram, 3, 1);
    folios.setMapping(ram, 4, 100);
    folios.setFlag(ram, FolioFlag.Dirty);
    folios.setFlag(pfn(ram + 5), FolioFlag.AnonExclusive);
    expect(folios.trylock(ram, task)).toBe(true);
    folios.splitToPages(ram);
    for (let i = 0; i < 8; i++) {
      const page = pfn(ram + i);
      expect([folios.order(page), folios.refcount(page), folios.lockOwner(page)]).toEqual([0, 1, task]);
      expect([folios.mapping(page), folios.index(page), folios.headOf(page)]).toEqual([4, 100 + i, page]);
      expect(folios.testFlag(page, FolioFlag.Dirty)).toBe(true);
      expect(folios.testFlag(page, FolioFlag.AnonExclusive)).toBe(i === 5);
      folios.unlock(page, task);
      folios.put(page);
    }
    expect(freed.map(([page, order]) => [page - ram, order])).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [i, 0]),
    );
  });

  it('split only when nothing maps them and somebody has them locked', () => {
    folios.prepareNew(ram, 3, 2);
    expect(() => folios.splitToPages(ram)).toThrow(/not locked/);
    folios.trylock(ram, task);
    folios.addRmap(pfn(ram + 1));
    expect(() => folios.splitToPages(ram)).toThrow(/mapped/);
  });

  it('say which page is their head', () => {
    folios.prepareNew(ram, 3, 1);
    const tail = pfn(ram + 5);
    expect([folios.order(ram), folios.npages(ram), folios.headOf(tail), folios.headOf(ram)]).toEqual([
      3,
      8,
      ram,
      ram,
    ]);
    expect(folios.testFlag(ram, FolioFlag.Large)).toBe(true);
    expect(folios.testFlag(tail, FolioFlag.Tail)).toBe(true);
  });

  it('leave no stale order or tails behind (M11)', () => {
    folios.prepareNew(ram, 3, 1);
    folios.put(ram);
    expect(freed).toEqual([[ram, 3]]);
    expect(folios.testFlag(ram, FolioFlag.Large)).toBe(false);
    expect(folios.tryGet(pfn(ram + 5))).toBe(false);
    for (let page = 0; page < 8; page++) {
      folios.prepareNew(pfn(ram + page), 0, 1);
      expect(folios.order(pfn(ram + page))).toBe(0);
      expect(folios.headOf(pfn(ram + page))).toBe(ram + page);
    }
  });

  it('are aligned and lie in one zone', () => {
    expect(() => folios.prepareNew(pfn(ram + 1), 1, 1)).toThrow(/aligned/);
    expect(() => folios.prepareNew(pfn(vram + 512), 0, 1)).toThrow(AssertionFailure);
  });

  it('are not formed over pages in use', () => {
    folios.prepareNew(pfn(ram + 3), 0, 1);
    expect(() => folios.prepareNew(ram, 2, 1)).toThrow(/in use/);
  });
});

describe('the table', () => {
  it('is seen by every view of its buffer', () => {
    folios.prepareNew(vram, 0, 4);
    const other = new FolioTable(folios.buffer, layout);
    expect(other.refcount(vram)).toBe(4);
    expect(() => new FolioTable(new SharedArrayBuffer(33), layout)).toThrow(AssertionFailure);
  });

  it('frees no page of a zone without a releaser', () => {
    folios.prepareNew(vram, 0, 1);
    expect(() => folios.put(vram)).toThrow(/has no releaser/);
    expect(() => folios.setReleaser(2, () => {})).toThrow(AssertionFailure);
  });
});
