/** The plain computation of the histogram: how often each bin was counted by contexts that are so and so far. */

import { hash32 } from './hash32.js';
import type { Partition } from './partition.js';

export function histogramSample(seed: number, index: number): number {
  return hash32(seed ^ 0xc3, index);
}

/** Progress only grows during a run, so counts are kept and added to. */
export class HistogramModel {
  private readonly counts: Int32Array;
  private readonly counted: Float64Array;

  constructor(
    private readonly seed: number,
    private readonly bins: number,
    private readonly partition: Partition,
  ) {
    this.counts = new Int32Array(bins);
    this.counted = new Float64Array(partition.devices * partition.contexts);
  }

  /** Counts by bin when each context has counted the first `done(device, context)` samples of its share. */
  countsAt(done: (device: number, context: number) => number): Int32Array {
    const { devices, contexts } = this.partition;
    for (let device = 0; device < devices; device++) {
      for (let context = 0; context < contexts; context++) this.bring(device, context, done(device, context));
    }
    return this.counts;
  }

  private bring(device: number, context: number, done: number): void {
    const { start } = this.partition.share(device, context);
    const at = device * this.partition.contexts + context;
    const before = this.counted[at];
    for (let i = before; i < done; i++) this.counts[histogramSample(this.seed, start + i) % this.bins]++;
    for (let i = done; i < before; i++) this.counts[histogramSample(this.seed, start + i) % this.bins]--;
    this.counted[at] = done;
  }
}
