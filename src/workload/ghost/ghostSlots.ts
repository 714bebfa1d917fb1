/** Which word of a page belongs to which actor: every word has one writer at most. */

import { assert } from '../../base/assert.js';
import { PAGE_WORDS } from '../../base/units.js';

/** Words of a page that others than the first actor share. */
const SHARED_WORDS = PAGE_WORDS - 1;

/**
 * The first actor, which is the CPU thread, has the first word of every page: what it replays are the accesses of a program, which go where the program's
 * did and nowhere else. With more of the others than a page has words for, they form groups, and each page belongs to one group.
 */
export class GhostSlots {
  readonly groups: number;

  constructor(readonly actors: number) {
    assert(actors > 0, 'no actors');
    this.groups = Math.max(1, Math.ceil((actors - 1) / SHARED_WORDS));
  }

  slotOf(actor: number): number {
    return actor === 0 ? 0 : 1 + ((actor - 1) % SHARED_WORDS);
  }

  owns(actor: number, index: number): boolean {
    return actor === 0 || index % this.groups === this.groupOf(actor);
  }

  /** The actor whose word this is; -1 for none. */
  ownerOf(index: number, slot: number): number {
    if (slot === 0) return 0;
    const actor = (index % this.groups) * SHARED_WORDS + slot;
    return actor < this.actors ? actor : -1;
  }

  /** The page next to `index` in which the actor has a word; -1 where there is none among `count` pages. */
  ownedNear(actor: number, index: number, count: number): number {
    if (actor === 0) return index;
    const near = index - (index % this.groups) + this.groupOf(actor);
    if (near < count) return near;
    return near >= this.groups ? near - this.groups : -1;
  }

  /** Of any actor but the first. */
  private groupOf(actor: number): number {
    return Math.floor((actor - 1) / SHARED_WORDS);
  }
}
