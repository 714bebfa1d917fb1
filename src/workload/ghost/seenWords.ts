/** What an instance has seen in the words of others: a cache, since forgetting only makes a check weaker. */

const ENTRIES = 2 ** 13;
const NONE = -1;

export class SeenWords {
  private readonly keys = new Float64Array(ENTRIES).fill(NONE);
  /** Last value other than 0; 0 for none. */
  readonly value = new Int32Array(ENTRIES);
  /** Whether the last load gave 0. */
  readonly isZero = new Uint8Array(ENTRIES);
  /** The value's sequence number is at least this. */
  readonly earliest = new Float64Array(ENTRIES);
  /** Zaps that had ended before the last load, and started after it. */
  readonly ended = new Uint32Array(ENTRIES);
  readonly started = new Uint32Array(ENTRIES);

  /** The entry of a word, emptied if another word had it. */
  entry(key: number): number {
    const at = (Math.imul(key % 2 ** 32, 0x9e3779b1) >>> 0) % ENTRIES;
    if (this.keys[at] === key) return at;
    this.keys[at] = key;
    this.value[at] = 0;
    this.isZero[at] = 1;
    this.earliest[at] = 0;
    return at;
  }
}
