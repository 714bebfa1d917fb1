/** The choices of one run, in order: all that makes it differ from other runs, whatever random generator made them. */

/** Stands before a random number in the list; tasks count from 1. */
export const RANDOM_CHOICE = 0;

/** Which task went on wherever several could, and each random number that the protocol asked for, as the pair (0, number). */
export class Schedule {
  private words = new Uint32Array(256);
  private length_ = 0;
  /** Of the tasks chosen; equal schedules have equal hashes. */
  private low = 0x811c9dc5;
  private high = 0x01000193;

  get length(): number {
    return this.length_;
  }

  clear(): void {
    this.length_ = 0;
    this.low = 0x811c9dc5;
    this.high = 0x01000193;
  }

  addTask(id: number): void {
    this.push(id);
    this.low = Math.imul(this.low ^ id, 0x01000193);
    this.high = Math.imul(this.high + id, 0x85ebca6b) ^ (this.high >>> 15);
  }

  addRandom(value: number): void {
    this.push(RANDOM_CHOICE);
    this.push(value);
    this.low = Math.imul(this.low ^ value, 0x9e3779b1);
  }

  /** 52 bits. */
  get hash(): number {
    return (this.high >>> 12) * 0x1_0000_0000 + (this.low >>> 0);
  }

  /** A copy that later runs do not change. */
  choices(): Uint32Array {
    return this.words.slice(0, this.length_);
  }

  private push(word: number): void {
    if (this.length_ === this.words.length) {
      const larger = new Uint32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[this.length_++] = word;
  }
}
