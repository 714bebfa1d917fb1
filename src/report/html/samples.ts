/** Moments and values in the order in which they came, as compact as numbers can be, and what becomes of them per time bin. */

const FIRST = 1024;

export class Samples {
  private times = new Float64Array(FIRST);
  private values = new Float64Array(FIRST);
  private count = 0;

  add(timeNs: number, value: number): void {
    if (this.count === this.times.length) {
      this.times = grown(this.times);
      this.values = grown(this.values);
    }
    this.times[this.count] = timeNs;
    this.values[this.count] = value;
    this.count++;
  }

  get isEmpty(): boolean {
    return this.count === 0;
  }

  /** The sum of the values in each bin. */
  sums(bins: number, binNs: number): number[] {
    const sums = new Array<number>(bins).fill(0);
    for (let i = 0; i < this.count; i++) sums[this.binAt(i, bins, binNs)] += this.values[i];
    return sums;
  }

  /** The last value before the end of each bin; 0 before the first. */
  states(bins: number, binNs: number): number[] {
    const states = new Array<number>(bins).fill(0);
    let at = 0;
    for (let bin = 0; bin < bins; bin++) {
      states[bin] = bin === 0 ? 0 : states[bin - 1];
      for (; at < this.count && this.binAt(at, bins, binNs) === bin; at++) states[bin] = this.values[at];
    }
    return states;
  }

  private binAt(i: number, bins: number, binNs: number): number {
    return Math.min(bins - 1, Math.floor(this.times[i] / binNs));
  }
}

function grown(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * array.length);
  larger.set(array);
  return larger;
}
