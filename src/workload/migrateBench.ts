/** The program behind `bench migrate`: moves a region to and fro, times the way there, and times plain copies in between. */

import { Errno, errnoName } from '../base/errno.js';
import { PAGE_BYTES, PAGE_WORDS, PMD_PAGES, type Vpn, vpn } from '../base/units.js';
import { holdPage } from '../memory/accessPort.js';
import { defineStep, type Steps } from '../sim/steps.js';
import type {
  DeviceKernel,
  Expectation,
  HostContext,
  Progress,
  Workload,
  WorkloadResult,
} from './workload.js';
import { Advice, bufferBase, MapFlag, Prot } from './workload.js';
import type { MigrateBenchConfig } from './workloadConfig.js';

export const BenchStep = { sample: defineStep('bench.sample', 'count', 'ns') } as const;

/** Target of a prefetch that means RAM. */
export const BENCH_RAM = -1;
/** Ranges in flight at once: the host works on one while a device copies another. */
const DEPTH = 16;
/** Plain copies before the first that counts. */
const COPY_WARMUPS = 2;

/** Result counts: `sample<i>Ns`, `memcpy<i>Ns`, and `mismatches`. */
export class MigrateBench implements Workload {
  readonly name: string;

  constructor(
    private readonly config: MigrateBenchConfig,
    private readonly index: number,
  ) {
    this.name = config.name;
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    const base = bufferBase(this.index);
    const counts: Record<string, number> = {};
    const errno = yield* this.measure(host, base, counts);
    const mismatches = errno === Errno.OK ? yield* this.countMismatches(host, base) : 0;
    counts.mismatches = mismatches;
    const ok = errno === Errno.OK && mismatches === 0;
    const detail = ok
      ? `${this.config.regionPages} pages arrived whole`
      : `${errnoName(errno)}, ${mismatches} words differ`;
    return { workload: this.name, ok, detail, counts };
  }

  /** No device computes here. */
  kernel(): DeviceKernel {
    return function* () {
      return Errno.EINVAL;
    };
  }

  progress(): Progress {
    return {};
  }

  /** The pattern that the program wrote stays until the end. */
  expect(): Expectation[] {
    const start = bufferBase(this.index);
    const check = (page: Vpn, words: Int32Array | null): string | null => {
      if (words === null) return 'a page of the pattern is gone';
      for (let i = 0; i < PAGE_WORDS; i++) {
        if (words[i] !== patternAt(page, i)) return `word ${i} is ${words[i]}, not ${patternAt(page, i)}`;
      }
      return null;
    };
    return [{ start, npages: this.config.regionPages, check }];
  }

  private *measure(host: HostContext, base: Vpn, counts: Record<string, number>): Steps<Errno> {
    const { regionPages, source, destination, warmups, samples, measuresCopy } = this.config;
    const { warmupNs = Number.POSITIVE_INFINITY } = this.config;
    const mapped = yield* host.mmap(base, regionPages, Prot.Read | Prot.Write, MapFlag.Fixed);
    if (mapped < 0) return mapped as Errno;
    const advised = yield* host.madvise(base, regionPages, this.pageAdvice());
    if (advised !== Errno.OK) return advised;
    const filled = yield* this.fill(host, base);
    if (filled !== Errno.OK) return filled;
    const copy = measuresCopy ? new PlainCopy(this.config) : null;
    const warmUntilNs = host.now() + warmupNs;
    for (let sample = -warmups; sample < samples && !host.stopping; sample++) {
      if (sample < 0 && host.now() >= warmUntilNs) sample = 0;
      const there = yield* host.prefetch(base, regionPages, source, DEPTH);
      if (there !== Errno.OK) return there;
      const startNs = host.now();
      const errno = yield* host.prefetch(base, regionPages, destination, DEPTH);
      const tookNs = host.now() - startNs;
      if (errno !== Errno.OK) return errno;
      yield* host.sleep(0);
      if (sample < 0) continue;
      counts[`sample${sample}Ns`] = tookNs;
      if (copy !== null) counts[`memcpy${sample}Ns`] = copy.run();
    }
    return Errno.OK;
  }

  /** Transfers of whole huge pages find them, as a program that cares for speed would have it; others never do. */
  private pageAdvice(): Advice {
    const isHuge = this.config.sizeBytes % (PMD_PAGES * PAGE_BYTES) === 0;
    return isHuge ? Advice.HugePage : Advice.NoHugePage;
  }

  private *fill(host: HostContext, base: Vpn): Steps<Errno> {
    for (let i = 0; i < this.config.regionPages; i++) {
      const page = vpn(base + i);
      const at = yield* holdPage(host, page, true);
      if (at < 0) return at as Errno;
      for (let word = 0; word < PAGE_WORDS; word++) host.memory.words[at + word] = patternAt(page, word);
      host.release();
      yield BenchStep.sample;
    }
    return Errno.OK;
  }

  /** Reads everything back through the CPU, which brings it to RAM. */
  private *countMismatches(host: HostContext, base: Vpn): Steps<number> {
    let mismatches = 0;
    for (let i = 0; i < this.config.regionPages; i++) {
      const page = vpn(base + i);
      const at = yield* holdPage(host, page, false);
      if (at < 0) return PAGE_WORDS * this.config.regionPages;
      for (let word = 0; word < PAGE_WORDS; word++) {
        if (host.memory.words[at + word] !== patternAt(page, word)) mismatches++;
      }
      host.release();
      yield BenchStep.sample;
    }
    return mismatches;
  }
}

/** The yardstick: `copyWithin` of the same size over a region of the same length, in shared memory of its own. */
class PlainCopy {
  private readonly bytes: Uint8Array;
  private readonly regionBytes: number;
  private readonly sizeBytes: number;

  constructor(config: MigrateBenchConfig) {
    this.regionBytes = config.regionPages * PAGE_BYTES;
    this.sizeBytes = config.sizeBytes;
    this.bytes = new Uint8Array(new SharedArrayBuffer(2 * this.regionBytes));
    this.bytes.fill(1);
    for (let i = 0; i < COPY_WARMUPS; i++) this.run();
  }

  /** Nanoseconds for the region once. */
  run(): number {
    const startMs = performance.now();
    for (let at = 0; at < this.regionBytes; at += this.sizeBytes) {
      this.bytes.copyWithin(this.regionBytes + at, at, at + this.sizeBytes);
    }
    return (performance.now() - startMs) * 1e6;
  }
}

/** Differs from page to page and from word to word. */
function patternAt(page: Vpn, word: number): number {
  return (Math.imul(page % 2 ** 31, 0x9e37) ^ Math.imul(word + 1, 0x85eb)) | 0;
}
