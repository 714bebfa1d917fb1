/** Gives an area its anon_vma before its first anonymous page is mapped. */

import { AllocSite } from '../memory/failureInjector.js';
import type { AnonVma } from './anonVma.js';
import type { Kernel } from './kernel.js';
import type { Mm } from './mm.js';
import { type Vma, VmFlag } from './vma.js';

const ACCESS = VmFlag.Read | VmFlag.Write | VmFlag.Exec;

/**
 * Whether the area could not be given an anon_vma now. Asked at the start of a fault, before the page is allocated; afterwards
 * {@link prepareAnonVma} cannot fail. @kernel vmf_anon_prepare
 */
export function anonVmaFails(kernel: Kernel, vma: Vma): boolean {
  return vma.anonVma === null && kernel.allocationFails(AllocSite.AnonVma);
}

/**
 * A neighbour's anon_vma is shared where the two could be one area again but for their protection, so that they can merge later. mmap_lock
 * is held, for read suffices.
 * @kernel anon_vma_prepare, find_mergeable_anon_vma
 */
export function prepareAnonVma(kernel: Kernel, mm: Mm, vma: Vma): AnonVma {
  if (vma.anonVma !== null) return vma.anonVma;
  const anonVma = neighboursAnonVma(mm, vma) ?? kernel.anonVmas.create();
  anonVma.link(mm, vma);
  return anonVma;
}

function neighboursAnonVma(mm: Mm, vma: Vma): AnonVma | null {
  const next = mm.vmas.next(vma);
  if (next?.anonVma && couldBeOneArea(vma, next)) return next.anonVma;
  const previous = mm.vmas.previous(vma);
  if (previous?.anonVma && couldBeOneArea(previous, vma)) return previous.anonVma;
  return null;
}

/** @kernel anon_vma_compatible */
function couldBeOneArea(below: Vma, above: Vma): boolean {
  return (
    below.end === above.start &&
    (below.flags & ~ACCESS) === (above.flags & ~ACCESS) &&
    below.indexOf(below.end) === above.pgoff
  );
}
