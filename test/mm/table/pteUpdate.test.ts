/** Replacing an entry keeps what the hardware marks in it meanwhile. */

import { describe, expect, it } from 'vitest';
import { pfn } from '../../../src/memory/pfn.js';
import { RadixTable, TableArena } from '../../../src/memory/radixTable.js';
import { makePte, PteBit, PteKind, pteWith, pteWithout } from '../../../src/mm/table/pte.js';
import { replacePte } from '../../../src/mm/table/pteUpdate.js';

describe('replacePte', () => {
  it('stores the new entry with young and dirty of the old one, and returns the old one', () => {
    const table = new RadixTable(TableArena.allocate(8));
    const slot = table.ensure(1000);
    const read = makePte(PteKind.Present, pfn(700), PteBit.Write);
    // A store of another thread marks the entry after it was read and before it is replaced.
    const marked = pteWith(read, PteBit.Young | PteBit.Dirty);
    table.write(slot, marked);
    expect(replacePte(table, slot, pteWithout(read, PteBit.Write))).toBe(marked);
    expect(table.read(slot)).toBe(pteWithout(marked, PteBit.Write));
  });
});
