/** An instance's own words: the last store to each, and what is known of its fate. */

import { Survival, survival } from './ghostRules.js';

/** Arrays of no more than 64 bytes lie on the engine's own heap, and most programs of a search need no larger ones. */
const CAPACITY_START = 8;

/** Sent between threads; entry `i` of all arrays is one word. */
export interface OwnWordsSnapshot {
  /** Page index times `localContexts`, plus the local number of the context. */
  readonly keys: Float64Array;
  /** Last value stored, or 0 once it is known to be gone. */
  readonly values: Int32Array;
  readonly endedBefore: Uint32Array;
  readonly startedAfter: Uint32Array;
}

export class OwnWords {
  private readonly at = new Map<number, number>();
  private keys = new Float64Array(CAPACITY_START);
  private values = new Int32Array(CAPACITY_START);
  private endedBefore = new Uint32Array(CAPACITY_START);
  private startedAfter = new Uint32Array(CAPACITY_START);

  /** A store has been done. */
  record(key: number, value: number, endedBefore: number, startedAfter: number): void {
    const at = this.at.get(key) ?? this.add(key);
    this.values[at] = value;
    this.endedBefore[at] = endedBefore;
    this.startedAfter[at] = startedAfter;
  }

  /** What the word must hold that was loaded between two readings of the counters, if it is not {@link Survival.Open}. */
  fate(key: number, ended: number, started: number): Survival {
    const at = this.at.get(key);
    if (at === undefined || this.values[at] === 0) return Survival.Gone;
    return survival(this.endedBefore[at], this.startedAfter[at], ended, started);
  }

  /** The last value stored, 0 for none or one that is known to be gone. */
  valueOf(key: number): number {
    const at = this.at.get(key);
    return at === undefined ? 0 : this.values[at];
  }

  /** A load has shown the value: the zaps that ended before it have not hit it. A load has shown 0: it is gone for good. */
  resolve(key: number, value: number, ended: number): void {
    const at = this.at.get(key);
    if (at === undefined) return;
    if (value === 0) this.values[at] = 0;
    else if (this.endedBefore[at] < ended) this.endedBefore[at] = ended;
  }

  snapshot(): OwnWordsSnapshot {
    const size = this.at.size;
    return {
      keys: this.keys.slice(0, size),
      values: this.values.slice(0, size),
      endedBefore: this.endedBefore.slice(0, size),
      startedAfter: this.startedAfter.slice(0, size),
    };
  }

  private add(key: number): number {
    const at = this.at.size;
    if (at === this.keys.length) this.grow();
    this.at.set(key, at);
    this.keys[at] = key;
    return at;
  }

  private grow(): void {
    const capacity = this.keys.length * 2;
    this.keys = widen(this.keys, new Float64Array(capacity));
    this.values = widen(this.values, new Int32Array(capacity));
    this.endedBefore = widen(this.endedBefore, new Uint32Array(capacity));
    this.startedAfter = widen(this.startedAfter, new Uint32Array(capacity));
  }
}

function widen<T extends Float64Array | Int32Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
