/** Changing an entry that CPU threads may be walking. */

import type { RadixTable } from '../../memory/radixTable.js';
import { type Pte, PteBit, pteFromWord } from './pte.js';

const HARDWARE_BITS = PteBit.Young | PteBit.Dirty;

/**
 * Stores `next` over a present entry; what the hardware marked in the old one until that moment is kept. Under the page-table lock. Returns
 * the entry as it was last. @kernel ptep_modify_prot_start, ptep_modify_prot_commit
 */
export function replacePte(table: RadixTable, slot: number, next: Pte): Pte {
  const last = pteFromWord(table.exchange(slot, next));
  const marked = last & HARDWARE_BITS & ~next;
  if (marked !== 0) table.write(slot, (next | marked) >>> 0);
  return last;
}
