/** What an instance has seen in the words of others: a cache, since forgetting only makes a check weaker. */

const BITS_MIN = 4;
const BITS_MAX = 13;
/** Entries for each word that can be seen: few words should meet in one. */
const SPREAD = 4;

/** The numbers of an entry, side by side: a look takes all of them. The key counts from 1, so that 0 is none. */
const KEY = 0;
const VALUE = 1;
const IS_ZERO = 2;
const EARLIEST = 3;
const ENDED = 4;
const STARTED = 5;
const ENTRY_NUMBERS = 6;

export class SeenWords {
  private readonly shift: number;
  private readonly numbers: Float64Array;

  /** For about so many words. */
  constructor(words: number) {
    const bits = Math.min(BITS_MAX, Math.max(BITS_MIN, Math.ceil(Math.log2(SPREAD * words))));
    this.shift = 32 - bits;
    this.numbers = new Float64Array(2 ** bits * ENTRY_NUMBERS);
  }

  /** The entry of a word, emptied if another word had it. */
  entry(key: number): number {
    const { numbers } = this;
    const at = (Math.imul(key % 2 ** 32, 0x9e3779b1) >>> this.shift) * ENTRY_NUMBERS;
    if (numbers[at + KEY] === key + 1) return at;
    numbers[at + KEY] = key + 1;
    numbers[at + VALUE] = 0;
    numbers[at + IS_ZERO] = 1;
    numbers[at + EARLIEST] = 0;
    return at;
  }

  /** A load gave 0, and the last value other than 0 stays what it was. `ended` and `started`: zaps by then, before the load and after it. */
  noteZero(at: number, ended: number, started: number): void {
    const { numbers } = this;
    numbers[at + IS_ZERO] = 1;
    numbers[at + ENDED] = ended;
    numbers[at + STARTED] = started;
  }

  /** A load gave a value whose sequence number is at least `earliest`. */
  noteValue(at: number, value: number, earliest: number, ended: number, started: number): void {
    const { numbers } = this;
    numbers[at + VALUE] = value;
    numbers[at + IS_ZERO] = 0;
    numbers[at + EARLIEST] = earliest;
    numbers[at + ENDED] = ended;
    numbers[at + STARTED] = started;
  }

  /** Last value other than 0; 0 for none. */
  value(at: number): number {
    return this.numbers[at + VALUE];
  }

  /** Whether the last load gave 0. */
  isZero(at: number): boolean {
    return this.numbers[at + IS_ZERO] === 1;
  }

  /** The value's sequence number is at least this. */
  earliest(at: number): number {
    return this.numbers[at + EARLIEST];
  }

  /** Zaps that had ended before the last load. */
  ended(at: number): number {
    return this.numbers[at + ENDED];
  }

  /** Zaps that had started after the last load. */
  started(at: number): number {
    return this.numbers[at + STARTED];
  }
}
