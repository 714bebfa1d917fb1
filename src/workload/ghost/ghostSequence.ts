/** Numbers an instance's stores, and tells from the few bits that a word keeps of a number which numbers it can be. */

import type { GhostRegion } from '../ghostBoard.js';
import { SEQUENCE_MODULUS } from './ghostWord.js';

/** Stores between two announcements, so that the announcement, a word of 32 bits, never wraps. Far below {@link SEQUENCE_MODULUS}. */
export const GRANULE = 4096;

/** The stores of one publisher: the CPU thread, or one device with all its contexts. */
export class GhostSequence {
  private last = 0;

  constructor(
    private readonly region: GhostRegion,
    private readonly publisher: number,
  ) {}

  /** The number of the next store, from 1; before that is done, an upper bound of it stands on the board. */
  next(): number {
    this.last++;
    const announced = Math.floor(this.last / GRANULE) + 1;
    if (this.last === 1 || this.last % GRANULE === 0) this.region.publish(this.publisher, announced);
    return this.last;
  }
}

/** Bounds of a number of which the residue is known: it is one that leaves this residue, no later than `latest`. */
export interface SequenceBounds {
  /** The largest number that it can be; below 1 if no store can have had this residue yet. */
  readonly latest: number;
  /** No later store of the same publisher has a number below this. */
  readonly earliest: number;
}

/**
 * `announced` was on the board just after the word was loaded, and no less than `announced - 1` just before. Older stores than the latest with this residue are taken
 * for it, so a stale word may look newer than it is, but never a new one older.
 */
export function sequenceBounds(residue: number, announced: number): SequenceBounds {
  const bound = announced * GRANULE;
  const below = bound - 1 - residue;
  const latest = below < 0 ? 0 : residue + Math.floor(below / SEQUENCE_MODULUS) * SEQUENCE_MODULUS;
  // All that is sure of the publisher is that it was at most two granules short of the bound when the word was loaded. A number beyond that
  // may be still to come, and then the word is from a whole modulus before.
  const mayBeAhead = latest >= bound - 2 * GRANULE && latest > SEQUENCE_MODULUS;
  return { latest, earliest: mayBeAhead ? latest - SEQUENCE_MODULUS : latest };
}
