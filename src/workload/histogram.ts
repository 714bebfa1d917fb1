/** Histogram of random samples: every device adds to the same bins with atomics. */

import { Errno } from '../base/errno.js';
import { PAGE_WORDS, vpn } from '../base/units.js';
import { holdPage } from '../memory/accessPort.js';
import type { Steps } from '../sim/steps.js';
import { ComputeWorkload, type FilledBuffer, nextBufferStart } from './computeWorkload.js';
import type { RunProgressView } from './contextProgress.js';
import { HistogramModel, histogramSample } from './histogramModel.js';
import { toErrno } from './hostSteps.js';
import { contentExpectation, type ExpectedPage } from './pageContent.js';
import { PagedBuffer } from './pagedBuffer.js';
import type { DeviceContext, Expectation } from './workload.js';
import type { HistogramConfig } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';
import type { WorkloadWorld } from './workloadWorld.js';

/** A context's `done` counts the samples of its share that are in the bins. */
export class Histogram extends ComputeWorkload {
  protected readonly buffers: readonly FilledBuffer[];
  private readonly samples: PagedBuffer;
  private readonly bins: PagedBuffer;
  private readonly model: HistogramModel;

  constructor(
    private readonly config: HistogramConfig,
    index: number,
    world: WorkloadWorld,
  ) {
    super(config.name, index, world, config.samples, 1);
    this.samples = new PagedBuffer(this.base, config.samples);
    this.bins = new PagedBuffer(nextBufferStart(this.base, this.samples.npages), config.bins);
    this.model = new HistogramModel(world.seed, config.bins, this.partition);
    this.buffers = [
      {
        buffer: this.samples,
        fill: ({ words }, base, first, count) => fillSamples(words, base, world.seed, first, count),
      },
      { buffer: this.bins, fill: ({ words }, base, _first, count) => words.fill(0, base, base + count) },
    ];
  }

  protected *compute(context: DeviceContext): Steps<Errno> {
    const { start, end } = this.partition.share(context.device, context.index);
    const samples = new Int32Array(PAGE_WORDS);
    this.record.begin(context.index, 0);
    for (let at = start; at < end; ) {
      const count = yield* this.loadSamples(context, at, end - at, samples);
      if (count < 0) return toErrno(count);
      const errno = yield* this.count(context, samples, count);
      if (errno !== Errno.OK) return errno;
      at += count;
    }
    return Errno.OK;
  }

  /** Up to the end of their page; how many, or an errno. */
  private *loadSamples(context: DeviceContext, at: number, limit: number, into: Int32Array): Steps<number> {
    if (context.gate.isClosed) yield* context.gate.pass();
    if (context.gate.ending) return Errno.EINTR;
    const index = yield* this.samples.hold(context, at, false);
    if (index < 0) return index;
    const { words } = context.memory;
    const count = this.samples.countInPage(at, limit);
    for (let i = 0; i < count; i++) into[i] = words[index + i];
    context.release();
    yield WorkloadStep.page;
    return count;
  }

  /** Runs of samples whose bins share a page are counted in one hold of it. */
  private *count(context: DeviceContext, samples: Int32Array, count: number): Steps<Errno> {
    for (let at = 0; at < count; ) {
      if (context.gate.isClosed) yield* context.gate.pass();
      if (context.gate.ending) return Errno.EINTR;
      const page = this.binPageOf(samples[at]);
      const base = yield* holdPage(context, vpn(this.bins.start + page), true);
      if (base < 0) return toErrno(base);
      const from = at;
      for (; at < count && this.binPageOf(samples[at]) === page; at++) {
        Atomics.add(context.memory.words, base + (this.binOf(samples[at]) % PAGE_WORDS), 1);
      }
      context.release();
      this.record.done[context.index] += at - from;
      yield WorkloadStep.page;
    }
    return Errno.OK;
  }

  private binOf(sample: number): number {
    return (sample >>> 0) % this.config.bins;
  }

  private binPageOf(sample: number): number {
    return Math.floor(this.binOf(sample) / PAGE_WORDS);
  }

  protected contents(view: RunProgressView): Expectation[] {
    const { seed } = this.world;
    const { samples, bins } = this;
    const fillExpectedSamples = (page: number, { words }: ExpectedPage): void => {
      if (page >= view.initialised) return;
      fillSamples(words, 0, seed, page * PAGE_WORDS, samples.elementsInPage(page));
    };
    const fillExpectedBins = (page: number, { words }: ExpectedPage): void => {
      const counts = this.model.countsAt((device, context) => view.done(device, context));
      const first = page * PAGE_WORDS;
      const count = bins.elementsInPage(page);
      for (let i = 0; i < count; i++) words[i] = counts[first + i];
    };
    return [
      contentExpectation(
        samples.start,
        samples.npages,
        fillExpectedSamples,
        (element) => `sample ${element}`,
      ),
      contentExpectation(bins.start, bins.npages, fillExpectedBins, (element) => `count of bin ${element}`),
    ];
  }

  /** Counting is quick next to reading it back. */
  protected advancePlain(): boolean {
    return false;
  }

  protected describe(phases: number): { what: string; counts: Record<string, number> } {
    const samples = phases === 0 ? 0 : this.config.samples;
    return { what: `${samples} samples in ${this.config.bins} bins`, counts: { samples } };
  }
}

function fillSamples(words: Int32Array, base: number, seed: number, first: number, count: number): void {
  for (let i = 0; i < count; i++) words[base + i] = histogramSample(seed, first + i);
}
