/** The word of a page-table entry. */

import { describe, expect, it } from 'vitest';
import { pfn } from '../../../src/memory/pfn.js';
import {
  formatPte,
  makePte,
  PTE_NONE,
  type Pte,
  PteBit,
  PteKind,
  pteAllows,
  pteFromWord,
  pteHas,
  pteHoldsFolio,
  pteIsMapping,
  pteKind,
  ptePfn,
  pteWith,
  pteWithout,
} from '../../../src/mm/table/pte.js';

describe('a page-table entry', () => {
  const FULL = pfn(2 ** 22 - 1);

  it('keeps kind, page and bits apart, for every page', () => {
    const pte = makePte(PteKind.Migration, FULL, PteBit.Write | PteBit.Exclusive | PteBit.SoftDirty);
    expect([pteKind(pte), ptePfn(pte)]).toEqual([PteKind.Migration, FULL]);
    expect(pteHas(pte, PteBit.Write | PteBit.Exclusive)).toBe(true);
    expect(pteHas(pte, PteBit.Write | PteBit.Young)).toBe(false);
    expect(pte).toBeGreaterThan(0);
    expect(pteFromWord(pte | 0)).toBe(pte);
  });

  it('gains and loses bits without losing the rest', () => {
    const pte = makePte(PteKind.Present, FULL, PteBit.Young);
    expect(pteWithout(pteWith(pte, PteBit.Dirty), PteBit.Dirty)).toBe(pte);
    expect(ptePfn(pteWith(pte, PteBit.ProtNone))).toBe(FULL);
  });

  it.each([
    [PteKind.Present, 0, true, false],
    [PteKind.Present, PteBit.Write, true, true],
    [PteKind.Present, PteBit.Write | PteBit.ProtNone, false, false],
    [PteKind.DevicePrivate, PteBit.Write, false, false],
    [PteKind.Migration, PteBit.Write, false, false],
    [PteKind.None, 0, false, false],
  ])('of kind %i with bits %i lets the CPU read: %s, write: %s', (kind, bits, reads, writes) => {
    const pte = makePte(kind, pfn(7), bits);
    expect([pteAllows(pte, false), pteAllows(pte, true)]).toEqual([reads, writes]);
  });

  it('maps a page if it is present or on a device, and holds it also while a device has it exclusively', () => {
    const kinds = Object.values(PteKind);
    const of = (test: (pte: Pte) => boolean): number[] =>
      kinds.filter((kind) => test(makePte(kind, pfn(1), 0)));
    expect(of(pteIsMapping)).toEqual([PteKind.Present, PteKind.DevicePrivate]);
    expect(of(pteHoldsFolio)).toEqual([PteKind.Present, PteKind.DevicePrivate, PteKind.DeviceExclusive]);
  });

  it('prints as reports show it', () => {
    expect(formatPte(PTE_NONE)).toBe('none');
    expect(formatPte(makePte(PteKind.Present, pfn(0x2a1), PteBit.Write | PteBit.Young))).toBe(
      'present pfn 0x2a1 w young',
    );
    expect(formatPte(makePte(PteKind.DevicePrivate, pfn(16), PteBit.Dirty))).toBe(
      'device-private pfn 0x10 r dirty',
    );
  });
});
