/** What an instance has seen in the words of others: a cache, since forgetting only makes a check weaker. */

const BITS_MIN = 4;
const BITS_MAX = 13;
/** Entries for each word that can be seen: few words should meet in one. */
const SPREAD = 4;
const NONE = -1;

export class SeenWords {
  private readonly shift: number;
  private readonly keys: Float64Array;
  /** Last value other than 0; 0 for none. */
  readonly value: Int32Array;
  /** Whether the last load gave 0. */
  readonly isZero: Uint8Array;
  /** The value's sequence number is at least this. */
  readonly earliest: Float64Array;
  /** Zaps that had ended before the last load, and started after it. */
  readonly ended: Uint32Array;
  readonly started: Uint32Array;

  /** For about so many words. */
  constructor(words: number) {
    const bits = Math.min(BITS_MAX, Math.max(BITS_MIN, Math.ceil(Math.log2(SPREAD * words))));
    const entries = 2 ** bits;
    this.shift = 32 - bits;
    this.keys = new Float64Array(entries).fill(NONE);
    this.value = new Int32Array(entries);
    this.isZero = new Uint8Array(entries);
    this.earliest = new Float64Array(entries);
    this.ended = new Uint32Array(entries);
    this.started = new Uint32Array(entries);
  }

  /** The entry of a word, emptied if another word had it. */
  entry(key: number): number {
    const at = Math.imul(key % 2 ** 32, 0x9e3779b1) >>> this.shift;
    if (this.keys[at] === key) return at;
    this.keys[at] = key;
    this.value[at] = 0;
    this.isZero[at] = 1;
    this.earliest[at] = 0;
    return at;
  }
}
