/** What a store puts into an actor's word: whose it is, for which page, and the how-manieth, so that a stray word gives itself away. */

const SEQUENCE_BITS = 18;
const TAG_BITS = 3;
/** Prime, and below 2^{@link TAG_BITS}. */
const PAGE_TAGS = 7;
const OWNER_SHIFT = SEQUENCE_BITS + TAG_BITS;

/** Sequence numbers are stored modulo this. */
export const SEQUENCE_MODULUS = 2 ** SEQUENCE_BITS;

/** Never 0: the owner is stored plus one. `slot` below 1024, `sequence` from 1. */
export function ghostWord(slot: number, index: number, sequence: number): number {
  return ((slot + 1) << OWNER_SHIFT) | (pageTag(index) << SEQUENCE_BITS) | (sequence % SEQUENCE_MODULUS);
}

export function ghostWordSlot(word: number): number {
  return (word >>> OWNER_SHIFT) - 1;
}

export function ghostWordTag(word: number): number {
  return (word >>> SEQUENCE_BITS) & (2 ** TAG_BITS - 1);
}

/** The sequence number modulo {@link SEQUENCE_MODULUS}. */
export function ghostWordSequence(word: number): number {
  return word & (SEQUENCE_MODULUS - 1);
}

/** Differs between any two pages whose distance is a power of two, such as neighbours and pages of neighbouring ranges. */
export function pageTag(index: number): number {
  return index % PAGE_TAGS;
}
