/** A PMD leaf as 512 words: changed as one entry, and split without anybody who holds a translation noticing. */

import { beforeEach, describe, expect, it } from 'vitest';
import { PMD_PAGES } from '../../../src/base/units.js';
import { FolioFlag } from '../../../src/memory/folios.js';
import { type Pfn, pfn } from '../../../src/memory/pfn.js';
import {
  changeLeaf,
  clearLeaf,
  isLeafAt,
  readLeaf,
  replaceLeaf,
  splitHugePmd,
  splitLeaf,
  writeLeaf,
} from '../../../src/mm/huge/hugeLeaf.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { prepareAnonVma } from '../../../src/mm/rmap/anonVmaPrepare.js';
import {
  makePte,
  PTE_NONE,
  PteBit,
  PteKind,
  pteFromWord,
  pteHas,
  ptePfn,
  ptePlus,
} from '../../../src/mm/table/pte.js';
import { type Machine, makeMachine, makeMm, mapFixed, pteOf, RecordingNotifier, run } from '../harness.js';

const AREA = 0x40000 * PMD_PAGES;
const BITS = PteBit.Huge | PteBit.Write;

let machine: Machine;
let mm: Mm;
let slot: number;

beforeEach(() => {
  machine = makeMachine({ ramPages: 4 * PMD_PAGES });
  mm = makeMm(machine.kernel);
  mapFixed(machine, mm, AREA, PMD_PAGES);
  slot = mm.pageTable.ensure(AREA);
});

/** Maps a fresh folio with one leaf, exclusively. */
function mapLeaf(bits: number): Pfn {
  const { kernel } = machine;
  const vma = mm.vmas.find(AREA as never);
  if (vma === null) throw new Error('no area');
  const head = kernel.allocFolio(9);
  kernel.folios.setMapping(head, prepareAnonVma(kernel, mm, vma).id, vma.pgoff);
  kernel.folios.addEntireRmap(head);
  kernel.folios.setFlag(head, FolioFlag.AnonExclusive);
  writeLeaf(mm.pageTable, slot, makePte(PteKind.Present, head, bits));
  return head;
}

describe('a leaf', () => {
  it('leads from each page to the page of the folio at the same place', () => {
    const head = mapLeaf(BITS);
    for (const i of [0, 1, 511])
      expect(pteOf(mm, AREA + i)).toBe(makePte(PteKind.Present, pfn(head + i), BITS));
    expect(isLeafAt(mm.pageTable, AREA + 77)).toBe(true);
  });

  it('was accessed when the hardware marked any of its words', () => {
    mapLeaf(BITS);
    mm.pageTable.write(slot + 300, mm.pageTable.read(slot + 300) | PteBit.Young | PteBit.Dirty);
    expect(pteHas(readLeaf(mm.pageTable, slot), PteBit.Young | PteBit.Dirty)).toBe(true);
    const last = clearLeaf(mm.pageTable, slot);
    expect(pteHas(last, PteBit.Dirty)).toBe(true);
    expect(pteOf(mm, AREA + 300)).toBe(PTE_NONE);
    machine.kernel.folios.removeEntireRmap(ptePfn(last));
    machine.kernel.folios.put(ptePfn(last));
  });

  it('keeps what the hardware marks while it is replaced', () => {
    const head = mapLeaf(BITS);
    mm.pageTable.write(slot + 300, mm.pageTable.read(slot + 300) | PteBit.Dirty);
    replaceLeaf(mm.pageTable, slot, makePte(PteKind.Present, head, PteBit.Huge));
    expect(pteHas(readLeaf(mm.pageTable, slot), PteBit.Dirty)).toBe(true);
    expect(pteHas(pteOf(mm, AREA + 5), PteBit.Write)).toBe(false);
  });

  it('changes flags in every word', () => {
    mapLeaf(BITS);
    changeLeaf(mm.pageTable, slot, PteBit.SoftDirty, PteBit.Write);
    for (const i of [0, 511]) {
      expect(pteHas(pteOf(mm, AREA + i), PteBit.SoftDirty)).toBe(true);
      expect(pteHas(pteOf(mm, AREA + i), PteBit.Write)).toBe(false);
    }
  });
});

describe('a split', () => {
  it('gives each page its own reference, mapping and exclusiveness, and the marks of the leaf', () => {
    const head = mapLeaf(BITS);
    const { folios } = machine.kernel;
    mm.pageTable.write(slot + 9, mm.pageTable.read(slot + 9) | PteBit.Young | PteBit.Dirty);
    splitLeaf(machine.kernel, mm, AREA + 100);
    expect([folios.refcount(head), folios.mapcount(head), folios.entireMapcount(head)]).toEqual([
      512, 512, 0,
    ]);
    expect(folios.testFlag(pfn(head + 511), FolioFlag.AnonExclusive)).toBe(true);
    expect(folios.testFlag(head, FolioFlag.Dirty)).toBe(true);
    const first = makePte(PteKind.Present, head, PteBit.Write | PteBit.Young | PteBit.Dirty);
    for (let i = 0; i < PMD_PAGES; i++) expect(pteOf(mm, AREA + i)).toBe(ptePlus(first, i));
  });

  it('of a migration leaf has no references to share out', () => {
    const head = machine.kernel.allocFolio(9);
    writeLeaf(mm.pageTable, slot, makePte(PteKind.Migration, head, BITS));
    splitLeaf(machine.kernel, mm, AREA);
    expect(machine.kernel.folios.refcount(head)).toBe(1);
    expect(pteOf(mm, AREA + 3)).toBe(makePte(PteKind.Migration, pfn(head + 3), PteBit.Write));
  });

  it('of the huge zero page leaves entries of the small one', () => {
    const head = machine.kernel.getHugeZeroPage();
    writeLeaf(mm.pageTable, slot, makePte(PteKind.Present, head, PteBit.Huge | PteBit.Young));
    splitLeaf(machine.kernel, mm, AREA);
    expect(pteOf(mm, AREA + 3)).toBe(makePte(PteKind.Present, machine.kernel.zeroPage, PteBit.Young));
    expect(machine.kernel.folios.refcount(head)).toBe(1);
  });

  it('as an operation of its own tells of the whole PMD, and only where there is a leaf', () => {
    mapLeaf(BITS);
    const recorder = new RecordingNotifier(machine.kernel, mm, AREA, PMD_PAGES);
    run(machine.kernel, splitHugePmd(machine.kernel, mm, AREA + 17));
    expect(recorder.take()).toEqual([`CLEAR ${AREA}+512`]);
    expect(isLeafAt(mm.pageTable, AREA)).toBe(false);
    run(machine.kernel, splitHugePmd(machine.kernel, mm, AREA + 17));
    expect(recorder.take()).toEqual([]);
  });

  it('finds no leaf among small entries', () => {
    mm.pageTable.write(slot, makePte(PteKind.Present, machine.kernel.zeroPage, 0));
    expect(() => splitLeaf(machine.kernel, mm, AREA)).toThrow(/no leaf/);
    expect(pteFromWord(mm.pageTable.read(slot + 1))).toBe(PTE_NONE);
  });
});
