/** The program behind `bench fault`: contexts of a GPU touch range after range, each touch a fault, again and again after the mapping was taken away. */

import { Errno } from '../../base/errno.js';
import { PAGE_BYTES, PMD_PAGES, type Vpn, vpn } from '../../base/units.js';
import { holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import { mapBuffer, PROT_RW, toErrno } from '../hostSteps.js';
import {
  Advice,
  type DeviceContext,
  type DeviceKernel,
  type Expectation,
  type HostContext,
  Prot,
} from '../workload.js';
import type { FaultBenchConfig } from '../workloadConfig.js';
import { BenchProgram } from './benchProgram.js';
import { BenchStep } from './benchStep.js';
import type { RoundTimer } from './roundTimer.js';

const RAM = -1;
const PREFETCH_DEPTH = 16;

export class FaultBench extends BenchProgram<FaultBenchConfig> {
  protected readonly summary = `${this.config.ranges} ranges were touched in each round`;

  kernel(): DeviceKernel {
    return (context) => this.touchRanges(context);
  }

  /** Each page's first word is its number, or 0 where nothing was ever stored. */
  expect(): Expectation[] {
    const check = (page: Vpn, words: Int32Array | null): string | null => {
      const found = words === null ? 0 : words[0];
      return found === this.wordOf(page) ? null : `its first word is ${found}`;
    };
    return [{ start: this.start, npages: this.pages, check }];
  }

  protected *prepare(host: HostContext): Steps<Errno> {
    let errno = yield* mapBuffer(host, this.start, this.pages);
    if (errno === Errno.OK) errno = yield* host.madvise(this.start, this.pages, this.pageAdvice());
    return errno === Errno.OK ? yield* this.fill(host) : errno;
  }

  protected *round(host: HostContext, round: number, timer: RoundTimer): Steps<Errno> {
    const errno = yield* this.takeAway(host, round);
    if (errno !== Errno.OK) return errno;
    timer.start();
    const touched = yield* host.launch(0, 0, 0, 0);
    timer.stop();
    return touched;
  }

  private *fill(host: HostContext): Steps<Errno> {
    if (this.config.pages === 'hole') return Errno.OK;
    for (let i = 0; i < this.pages; i++) {
      const page = vpn(this.start + i);
      const at = yield* holdPage(host, page, true);
      if (at < 0) return toErrno(at);
      host.memory.words[at] = this.wordOf(page);
      host.release();
      if (i % 16 === 15) yield BenchStep.sample;
    }
    return Errno.OK;
  }

  /** So that every touch faults again. */
  private *takeAway(host: HostContext, round: number): Steps<Errno> {
    switch (this.config.pages) {
      case 'present':
        // Rights that nobody uses come and go.
        return yield* host.mprotect(this.start, this.pages, round % 2 === 0 ? PROT_RW | Prot.Exec : PROT_RW);
      case 'migrate':
        return yield* host.prefetch(this.start, this.pages, RAM, PREFETCH_DEPTH);
      case 'hole':
        return yield* host.madvise(this.start, this.pages, Advice.DontNeed);
    }
  }

  /** The first page of each range; the contexts take turns, so that as many faults are under way as there are contexts. */
  private *touchRanges(context: DeviceContext): Steps<Errno> {
    const { ranges, rangePages } = this.config;
    for (let range = context.index; range < ranges; range += context.count) {
      const page = vpn(this.start + range * rangePages);
      const at = yield* holdPage(context, page, false);
      if (at < 0) return toErrno(at);
      const found = context.memory.words[at];
      context.release();
      if (found !== this.wordOf(page)) return Errno.EIO;
    }
    return Errno.OK;
  }

  private pageAdvice(): Advice {
    return (this.config.rangePages * PAGE_BYTES) % (PMD_PAGES * PAGE_BYTES) === 0
      ? Advice.HugePage
      : Advice.NoHugePage;
  }

  private wordOf(page: Vpn): number {
    return this.config.pages === 'hole' ? 0 : 1 + (page - this.start);
  }

  private get pages(): number {
    return this.config.ranges * this.config.rangePages;
  }
}
