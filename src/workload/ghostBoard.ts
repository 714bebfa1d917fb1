/** Counters in shared memory by which all actors know which calls that throw pages away came before and after a store. */

import { assert } from '../base/assert.js';
import { accessPlan } from './access/accessPlan.js';
import { tracePlan } from './tracePlan.js';
import type { WorkloadConfig } from './workloadConfig.js';

/** Devices of one run, at most. */
const DEVICES_MAX = 64;
/** The CPU thread, then the devices. */
const PUBLISHERS = 1 + DEVICES_MAX;
/** A cache line for each, since each is written by another thread. */
const PUBLISHER_WORDS = 16;
const HEADER_WORDS = PUBLISHERS * PUBLISHER_WORDS;
const STARTED = 0;
const ENDED = 1;
const PAGE_COUNTERS = 2;
const WORD_BYTES = 4;

/** Pages whose stores a workload tracks, which may be none; null for those that compute. */
function trackedPages(config: WorkloadConfig): number | null {
  switch (config.kind) {
    case 'pattern':
    case 'invalidate':
      return config.pages;
    case 'accesses':
      return accessPlan(config).count;
    case 'trace':
      return tracePlan(config).count;
    default:
      return null;
  }
}

function regionWords(pages: number | null): number {
  return pages === null ? 0 : HEADER_WORDS + pages * PAGE_COUNTERS;
}

/**
 * Every actor makes one over the same buffer, from the same configurations. It is no part of the simulated system: it costs no simulated
 * time and tells the protocol nothing.
 */
export class GhostBoard {
  private readonly regions: readonly (GhostRegion | null)[];

  /** Size of the shared buffer; at least 4, as an empty one cannot be viewed everywhere. */
  static bytesFor(configs: readonly WorkloadConfig[]): number {
    const words = configs.reduce((sum, config) => sum + regionWords(trackedPages(config)), 0);
    return Math.max(words, 1) * WORD_BYTES;
  }

  constructor(buffer: SharedArrayBuffer, configs: readonly WorkloadConfig[]) {
    assert(buffer.byteLength === GhostBoard.bytesFor(configs), 'ghost board does not match its workloads');
    let at = 0;
    this.regions = configs.map((config) => {
      const pages = trackedPages(config);
      const words = regionWords(pages);
      const region =
        pages === null ? null : new GhostRegion(new Uint32Array(buffer, at * WORD_BYTES, words), pages);
      at += words;
      return region;
    });
  }

  /** The counters of the workload with this index, which tracks its stores. */
  region(workload: number): GhostRegion {
    const region = this.regions[workload] ?? null;
    assert(region !== null, () => `workload ${workload} has no ghost pages`);
    return region;
  }
}

/**
 * One workload's counters. Only its CPU thread zaps, so the zaps of a page never overlap. Counters do not wrap: 2^32 zaps of one page take
 * longer than any run.
 */
export class GhostRegion {
  constructor(
    private readonly words: Uint32Array,
    readonly pages: number,
  ) {}

  /** Zaps of a page that have started. To be read after the access in question. */
  started(index: number): number {
    return Atomics.load(this.words, this.counter(index) + STARTED);
  }

  /** Zaps of a page that have ended. To be read before the access in question. */
  ended(index: number): number {
    return Atomics.load(this.words, this.counter(index) + ENDED);
  }

  /** Before the call that throws the pages away. */
  beginZap(first: number, count: number): void {
    for (let index = first; index < first + count; index++) {
      assert(this.started(index) === this.ended(index), () => `zaps of ghost page ${index} overlap`);
      Atomics.add(this.words, this.counter(index) + STARTED, 1);
    }
  }

  /** After it. */
  endZap(first: number, count: number): void {
    for (let index = first; index < first + count; index++) {
      Atomics.add(this.words, this.counter(index) + ENDED, 1);
      assert(this.started(index) === this.ended(index), () => `a zap of ghost page ${index} ends twice`);
    }
  }

  /** What this publisher (0 for the CPU thread, 1 + device) has announced last; 0 before its first store. */
  published(publisher: number): number {
    return Atomics.load(this.words, publisherWord(publisher));
  }

  publish(publisher: number, value: number): void {
    Atomics.store(this.words, publisherWord(publisher), value);
  }

  private counter(index: number): number {
    assert(index >= 0 && index < this.pages, () => `ghost page ${index} of ${this.pages}`);
    return HEADER_WORDS + index * PAGE_COUNTERS;
  }
}

function publisherWord(publisher: number): number {
  assert(publisher >= 0 && publisher < PUBLISHERS, () => `publisher ${publisher} of ${PUBLISHERS}`);
  return publisher * PUBLISHER_WORDS;
}
