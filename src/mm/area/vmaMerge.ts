/** Which areas may become one. */

import type { Vpn } from '../../base/units.js';
import type { MappedFile } from '../file/mappedFile.js';
import { isMergeableAnonVma } from '../rmap/anonVmaLinks.js';
import { hasSpecialFlags, type Vma, VmFlag } from './vma.js';

/** A run of pages that is to be an area, or part of one: new, moved, or an old one with other flags. @kernel vma_merge_struct */
export interface AreaSpec {
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  readonly flags: number;
  readonly pgoff: number;
  readonly file: MappedFile | null;
  /** The area whose pages the run may map; null for a fresh one. */
  readonly source: Vma | null;
}

/** The neighbours that a run may be merged with. */
export interface MergeSides {
  readonly below: Vma | null;
  readonly above: Vma | null;
}

/** `below` and `above` touch the run; null where nothing does, or where a merge is out of the question. @kernel can_vma_merge_left, can_vma_merge_right */
export function mergeSides(spec: AreaSpec, below: Vma | null, above: Vma | null): MergeSides {
  if (hasSpecialFlags(spec.flags)) return { below: null, above: null };
  const joinsBelow = below !== null && canFollow(below, spec);
  const joinsAbove =
    above !== null &&
    canPrecede(spec, above) &&
    (!joinsBelow || isMergeableAnonVma(below.anonVma, above.anonVma, null));
  return { below: joinsBelow ? below : null, above: joinsAbove ? above : null };
}

/** @kernel can_vma_merge_after */
function canFollow(below: Vma, spec: AreaSpec): boolean {
  return (
    isSameKind(below, spec) &&
    isMergeableAnonVma(spec.source?.anonVma ?? null, below.anonVma, below) &&
    below.indexOf(below.end) === spec.pgoff
  );
}

/** @kernel can_vma_merge_before */
function canPrecede(spec: AreaSpec, above: Vma): boolean {
  return (
    isSameKind(above, spec) &&
    isMergeableAnonVma(spec.source?.anonVma ?? null, above.anonVma, above) &&
    spec.pgoff + (spec.end - spec.start) === above.pgoff
  );
}

/** Soft-dirty areas merge with others, as if these were too or it were not. @kernel is_mergeable_vma */
function isSameKind(vma: Vma, spec: AreaSpec): boolean {
  return ((vma.flags ^ spec.flags) & ~VmFlag.SoftDirty) === 0 && vma.file === spec.file;
}
