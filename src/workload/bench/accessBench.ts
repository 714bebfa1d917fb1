/** The program behind `bench access`: contexts of every device load from pages that the TLB, the page table or nothing translates. */

import { Errno } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
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

export class AccessBench extends BenchProgram<AccessBenchConfig> {
  protected readonly summary = `${this.config.loads} loads a round and device`;

  kernel(): DeviceKernel {
    return (context) => this.load(context);
  }

  expect(): Expectation[] {
    const check = (page: Vpn, words: Int32Array | null): string | null =>
      words !== null && words[0] === 1 + (page - this.start) ? null : 'its first word is another one';
    return [{ start: this.start, npages: this.config.pages, check }];
  }

  protected *prepare(host: HostContext): Steps<Errno> {
    const { pages } = this.config;
    let errno = yield* mapBuffer(host, this.start, pages);
    if (errno === Errno.OK) errno = yield* host.madvise(this.start, pages, Advice.NoHugePage);
    return errno === Errno.OK ? yield* this.fill(host) : errno;
  }

  protected *round(host: HostContext, round: number, timer: RoundTimer): Steps<Errno> {
    if (this.config.faults) {
      // Rights that nobody uses come and go, and with them all translations.
      const prot = round % 2 === 0 ? PROT_RW | Prot.Exec : PROT_RW;
      const errno = yield* host.mprotect(this.start, this.config.pages, prot);
      if (errno !== Errno.OK) return errno;
    }
    timer.start();
    const errno = yield* launchAll(host, 0);
    timer.stop();
    return errno;
  }

  private *fill(host: HostContext): Steps<Errno> {
    for (let i = 0; i < this.config.pages; i++) {
      const at = yield* holdPage(host, vpn(this.start + i), true);
      if (at < 0) return toErrno(at);
      host.memory.words[at] = 1 + i;
      host.release();
      if (i % 64 === 63) yield BenchStep.sample;
    }
    return Errno.OK;
  }

  /** The contexts share the loads; each goes round the pages, and looks whether it found what it must. */
  private *load(context: DeviceContext): Steps<Errno> {
    const { loads, pages } = this.config;
    const { words } = context.memory;
    const { start } = this;
    const own = Math.ceil(loads / context.count);
    let page = (context.index * own) % pages;
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
      const errno = yield* context.fault(vpn(this.start + page), false);
      if (errno !== Errno.OK) return errno;
    }
    return wrong === 0 ? Errno.OK : Errno.EIO;
  }
}
