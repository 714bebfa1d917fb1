/** Gives an area its anon_vma before its first anonymous page is mapped. */

import { AllocSite } from '../../memory/failureInjector.js';
import { type Vma, VmFlag } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import type { AnonVma } from './anonVma.js';
import { isSingular, joinAnonVma } from './anonVmaLinks.js';

/** What neighbours may differ in that could be one area some day. */
const MAY_DIFFER = VmFlag.Read | VmFlag.Write | VmFlag.Exec | VmFlag.SoftDirty;

/**
 * Gives the area its anon_vma at the start of a fault, before the page is allocated: it keeps it though the fault fails, and a fork copies its
 * entries from then on. False without memory for it. mmap_lock is held, for read suffices. @kernel vmf_anon_prepare
 */
export function vmfAnonPrepare(kernel: Kernel, mm: Mm, vma: Vma): boolean {
  if (vma.anonVma === null && kernel.allocationFails(AllocSite.AnonVma)) return false;
  prepareAnonVma(kernel, mm, vma);
  return true;
}

/**
 * A neighbour's anon_vma is shared where the two could be one area again but for their protection, so that they can merge later. mmap_lock
 * is held, for read suffices.
 * @kernel anon_vma_prepare
 */
export function prepareAnonVma(kernel: Kernel, mm: Mm, vma: Vma): AnonVma {
  if (vma.anonVma !== null) return vma.anonVma;
  const anonVma = findMergeableAnonVma(mm, vma) ?? kernel.anonVmas.create();
  joinAnonVma(mm, vma, anonVma);
  return anonVma;
}

/** @kernel find_mergeable_anon_vma */
export function findMergeableAnonVma(mm: Mm, vma: Vma): AnonVma | null {
  const next = mm.vmas.next(vma);
  const above = next === null ? null : reusableAnonVma(next, vma, next);
  if (above !== null) return above;
  const previous = mm.vmas.previous(vma);
  return previous === null ? null : reusableAnonVma(previous, previous, vma);
}

/** That of `old`, unless a fork made it; `old` is one of the two neighbours. @kernel reusable_anon_vma */
function reusableAnonVma(old: Vma, below: Vma, above: Vma): AnonVma | null {
  return couldBeOneArea(below, above) && isSingular(old) ? old.anonVma : null;
}

/** @kernel anon_vma_compatible */
function couldBeOneArea(below: Vma, above: Vma): boolean {
  return (
    below.end === above.start &&
    (below.flags & ~MAY_DIFFER) === (above.flags & ~MAY_DIFFER) &&
    below.file === above.file &&
    below.indexOf(below.end) === above.pgoff
  );
}
