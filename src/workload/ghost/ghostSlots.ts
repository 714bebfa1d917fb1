/** Which word of a page belongs to which actor: every word has one writer at most. */

import { assert } from '../../base/assert.js';
import { PAGE_WORDS } from '../../base/units.js';

/** With more actors than a page has words, the actors form groups of 1024, and each page belongs to one group. */
export class GhostSlots {
  readonly groups: number;

  constructor(readonly actors: number) {
    assert(actors > 0, 'no actors');
    this.groups = Math.ceil(actors / PAGE_WORDS);
  }

  slotOf(actor: number): number {
    return actor % PAGE_WORDS;
  }

  owns(actor: number, index: number): boolean {
    return index % this.groups === Math.floor(actor / PAGE_WORDS);
  }

  /** The actor whose word this is; -1 for none. */
  ownerOf(index: number, slot: number): number {
    const actor = (index % this.groups) * PAGE_WORDS + slot;
    return actor < this.actors ? actor : -1;
  }

  /** The page next to `index` in which the actor has a word; -1 where there is none among `count` pages. */
  ownedNear(actor: number, index: number, count: number): number {
    const group = Math.floor(actor / PAGE_WORDS);
    const near = index - (index % this.groups) + group;
    if (near < count) return near;
    return near >= this.groups ? near - this.groups : -1;
  }
}
