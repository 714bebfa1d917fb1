/** How areas join, share, inherit and leave anon_vmas: what split, merge, move, fork and unmap do to the reverse map. */

import { assert } from '../../base/assert.js';
import type { Vma } from '../area/vma.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { type AnonVma, AnonVmaChain } from './anonVma.js';

/** Gives an area without anon_vma one, for its pages to come. */
export function joinAnonVma(mm: Mm, vma: Vma, anonVma: AnonVma): void {
  assert(vma.anonVma === null, 'an area has an anon_vma already');
  vma.anonVma = anonVma;
  linkAnonVma(mm, vma, anonVma);
  anonVma.activeVmas++;
}

/** @kernel anon_vma_chain_link */
function linkAnonVma(mm: Mm, vma: Vma, anonVma: AnonVma): void {
  assert(
    vma.anonVmaChain.every((link) => link.anonVma !== anonVma),
    'area is linked to its anon_vma twice',
  );
  vma.anonVmaChain.push(new AnonVmaChain(anonVma, mm, vma));
}

/**
 * Makes `to` an area that may map whatever `from` maps. `to` has no chain yet. If it has no anon_vma either, while `from` has, as in a fork,
 * it takes over an ancestor's that no area uses any more and that has one child at most: a process that forks and whose parent exits, over
 * and over, does not pile up anon_vmas.
 * @kernel anon_vma_clone
 */
export function cloneAnonVma(mm: Mm, to: Vma, from: Vma): void {
  assert(to.anonVmaChain.length === 0, 'an area inherits into a chain that is not empty');
  for (const { anonVma } of from.anonVmaChain) {
    linkAnonVma(mm, to, anonVma);
    const isIdle = anonVma.children < 2 && anonVma.activeVmas === 0;
    if (to.anonVma === null && from.anonVma !== null && isIdle) to.anonVma = anonVma;
  }
  if (to.anonVma !== null) to.anonVma.activeVmas++;
}

/** For a copy that goes on where the original is: new pages of both have the same mapping. @kernel __split_vma, copy_vma */
export function shareAnonVma(mm: Mm, to: Vma, from: Vma): void {
  assert(to.anonVma === null, 'an area has an anon_vma already');
  to.anonVma = from.anonVma;
  cloneAnonVma(mm, to, from);
}

/** For a merge: the area that stays may then map what the one that goes maps. @kernel dup_anon_vma */
export function takeAnonVma(mm: Mm, stays: Vma, goes: Vma): void {
  if (stays.anonVma === null && goes.anonVma !== null) shareAnonVma(mm, stays, goes);
}

/** A child's copy of an area shares the pages that there are, and gets an anon_vma of its own for new ones. @kernel anon_vma_fork */
export function forkAnonVma(kernel: Kernel, child: Mm, to: Vma, from: Vma): void {
  assert(to.anonVma === null, 'an area of a new process has an anon_vma');
  if (from.anonVma === null) return;
  cloneAnonVma(child, to, from);
  if (to.anonVma === null) joinAnonVma(child, to, kernel.anonVmas.create(from.anonVma));
}

/** The area maps no page any more, or another area has taken over. Descendants go before their ancestors. @kernel unlink_anon_vmas */
export function unlinkAnonVmas(kernel: Kernel, vma: Vma): void {
  if (vma.anonVma !== null) {
    vma.anonVma.activeVmas--;
    vma.anonVma = null;
  }
  for (const link of vma.anonVmaChain.splice(0)) {
    const { anonVma } = link;
    link.remove();
    if (anonVma.areas.size > 0) continue;
    anonVma.parent.children--;
    kernel.anonVmas.release(anonVma);
  }
}

/**
 * Whether pages with either of two mappings may lie in one area. `other` is the neighbour that `second` belongs to, or null when the two
 * neighbours of an area are compared. An area of a forked process is in more than one chain and keeps to itself; and one without any is in
 * none, so in this version an area with pages does not merge into a neighbour without.
 * @kernel is_mergeable_anon_vma
 */
export function isMergeableAnonVma(
  first: AnonVma | null,
  second: AnonVma | null,
  other: Vma | null,
): boolean {
  if ((first === null || second === null) && (other === null || isSingular(other))) return true;
  return first === second;
}

/** @kernel list_is_singular */
export function isSingular(vma: Vma): boolean {
  return vma.anonVmaChain.length === 1;
}
