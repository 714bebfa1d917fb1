/** The program behind `bench access`: contexts of every device load from pages that the TLB, the page table or nothing translates. */

import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn, vpn } from '../../base/units.js';
import { holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import { launchAll, mapBuffer, PROT_RW, toErrno } from '../hostSteps.js';
import {
  Advice,
  type DeviceContext,
  type DeviceKernel,
  type Expectation,
  type HostContext,
  Prot,
} from '../workload.js';
import type { AccessBenchConfig } from '../workloadConfig.js';
import { BenchProgram } from './benchProgram.js';
import { BenchStep } from './benchStep.js';
import type { RoundTimer } from './roundTimer.js';

/** Loads between two steps: a device serves nobody in between. */
const LOADS_PER_STEP = 4096;
/** Parts begin at multiples of this: none shares a range with another, or it would go to and fro between their devices. */
const PART_STRIDE_PAGES = PMD_PAGES;

export class AccessBench extends BenchProgram<AccessBenchConfig> {
  protected readonly summary = `${this.config.loads} loads a round and device`;

  kernel(device: number): DeviceKernel {
    const start = this.partStart(device % this.config.parts);
    return (context) => this.load(context, start);
  }

  expect(): Expectation[] {
    return this.partStarts().map((start) => ({
      start,
      npages: this.config.pages,
      check: (page: Vpn, words: Int32Array | null): string | null =>
        words !== null && words[0] === 1 + (page - start) ? null : 'its first word is another one',
    }));
  }

  protected *prepare(host: HostContext): Steps<Errno> {
    let errno = yield* mapBuffer(host, this.start, this.spanPages);
    if (errno === Errno.OK) errno = yield* host.madvise(this.start, this.spanPages, Advice.NoHugePage);
    for (const start of this.partStarts()) if (errno === Errno.OK) errno = yield* this.fill(host, start);
    return errno;
  }

  protected *round(host: HostContext, round: number, timer: RoundTimer): Steps<Errno> {
    if (this.config.faults) {
      // Rights that nobody uses come and go, and with them all translations.
      const prot = round % 2 === 0 ? PROT_RW | Prot.Exec : PROT_RW;
      const errno = yield* host.mprotect(this.start, this.spanPages, prot);
      if (errno !== Errno.OK) return errno;
    }
    timer.start();
    const errno = yield* launchAll(host, 0);
    timer.stop();
    return errno;
  }

  private *fill(host: HostContext, start: Vpn): Steps<Errno> {
    for (let i = 0; i < this.config.pages; i++) {
      const at = yield* holdPage(host, vpn(start + i), true);
      if (at < 0) return toErrno(at);
      host.memory.words[at] = 1 + i;
      host.release();
      if (i % 64 === 63) yield BenchStep.sample;
    }
    return Errno.OK;
  }

  /** The contexts share the loads; each goes round the pages, and looks whether it found what it must. */
  private *load(context: DeviceContext, start: Vpn): Steps<Errno> {
    const { loads, pages } = this.config;
    const { words } = context.memory;
    const { first, own } = loadShare(loads, context.index, context.count);
    let page = first % pages;
    let wrong = 0;
    for (let done = 0; done < own; ) {
      const end = Math.min(own, done + LOADS_PER_STEP);
      while (done < end) {
        const at = context.tryPage(vpn(start + page), false);
        if (at < 0) break;
        wrong |= words[at] ^ (1 + page);
        page = page + 1 === pages ? 0 : page + 1;
        done++;
      }
      if (done === end) {
        yield BenchStep.sample;
        continue;
      }
      const errno = yield* context.fault(vpn(start + page), false);
      if (errno !== Errno.OK) return errno;
    }
    return wrong === 0 ? Errno.OK : Errno.EIO;
  }

  private get spanPages(): number {
    return (this.config.parts - 1) * this.strideOfParts + this.config.pages;
  }

  private get strideOfParts(): number {
    return Math.ceil(this.config.pages / PART_STRIDE_PAGES) * PART_STRIDE_PAGES;
  }

  private partStart(part: number): Vpn {
    return vpn(this.start + part * this.strideOfParts);
  }

  private partStarts(): Vpn[] {
    return Array.from({ length: this.config.parts }, (_, part) => this.partStart(part));
  }
}

/** Of one of several contexts: all together make as many loads as the rate counts, though these cannot always be shared evenly. */
export function loadShare(loads: number, index: number, count: number): { first: number; own: number } {
  const first = Math.floor((loads * index) / count);
  return { first, own: Math.floor((loads * (index + 1)) / count) - first };
}
