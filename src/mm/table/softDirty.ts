/** Soft-dirty bits: which pages were written since a program last cleared them. */

import type { Vma } from '../area/vma.js';
import { type Pte, PteBit, pteHas } from './pte.js';

/** Whether the next store to the page must fault, as nothing else would set its bit. @kernel pte_needs_soft_dirty_wp */
export function mustNoticeStore(vma: Vma, pte: Pte): boolean {
  return vma.tracksSoftDirty && !pteHas(pte, PteBit.SoftDirty);
}
