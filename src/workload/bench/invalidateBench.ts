/** The program behind `bench invalidate`: all devices map a span, the program takes it away from them, and again. */

import { Errno } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
import { holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import { firstError, launchAll, mapBuffer, PROT_RW, toErrno } from '../hostSteps.js';
import {
  Advice,
  type DeviceContext,
  type DeviceKernel,
  type Expectation,
  type HostContext,
  Prot,
} from '../workload.js';
import type { InvalidateBenchConfig } from '../workloadConfig.js';
import { BenchProgram } from './benchProgram.js';
import type { RoundTimer } from './roundTimer.js';

const FIRST_DEVICE = 0;
const PREFETCH_DEPTH = 16;

/** A sample times the calls of one round, all together. */
export class InvalidateBench extends BenchProgram<InvalidateBenchConfig> {
  protected readonly summary = `${this.config.callers.length} calls a round`;

  kernel(): DeviceKernel {
    return (context) => this.touchAll(context);
  }

  /** Each page's first word is its number, unless what it held was given back. */
  expect(): Expectation[] {
    const check = (page: Vpn, words: Int32Array | null): string | null => {
      const found = words === null ? 0 : words[0];
      return found === this.wordOf(page) || (this.beginsAnew && found === 0)
        ? null
        : `its first word is ${found}`;
    };
    return [{ start: this.start, npages: this.config.pages, check }];
  }

  protected *prepare(host: HostContext): Steps<Errno> {
    const { pages } = this.config;
    const errno = yield* mapBuffer(host, this.start, pages);
    return errno === Errno.OK ? yield* host.madvise(this.start, pages, Advice.NoHugePage) : errno;
  }

  /** Everything is mapped by all devices, and then taken away by all callers at once. */
  protected *round(host: HostContext, round: number, timer: RoundTimer): Steps<Errno> {
    let errno = round === 0 || this.beginsAnew ? yield* this.fill(host) : Errno.OK;
    if (errno === Errno.OK) errno = yield* launchAll(host, 0);
    if (errno !== Errno.OK) return errno;
    timer.start();
    errno = firstError(
      yield* host.parallel(this.config.callers.map((offset) => this.takeAway(host, offset, round))),
    );
    timer.stop();
    return errno === Errno.OK ? yield* this.clearUp(host) : errno;
  }

  /** Only what holds nothing: stores to what is mapped would invalidate too. */
  private *fill(host: HostContext): Steps<Errno> {
    for (let i = 0; i < this.config.pages; i++) {
      const page = vpn(this.start + i);
      if (host.tryPage(page, false) >= 0) {
        host.release();
        continue;
      }
      const at = yield* holdPage(host, page, true);
      if (at < 0) return toErrno(at);
      host.memory.words[at] = this.wordOf(page);
      host.release();
    }
    return Errno.OK;
  }

  private *takeAway(host: HostContext, offset: number, round: number): Steps<Errno> {
    const start = vpn(this.start + offset);
    const { spanPages } = this.config;
    switch (this.config.event) {
      case 'protect':
        // Rights that nobody uses come and go.
        return yield* host.mprotect(start, spanPages, round % 2 === 0 ? PROT_RW | Prot.Exec : PROT_RW);
      case 'unmap':
        return yield* host.munmap(start, spanPages);
      case 'discard':
        return yield* host.madvise(start, spanPages, Advice.DontNeed);
      case 'migrate':
        return yield* host.prefetch(start, spanPages, FIRST_DEVICE, PREFETCH_DEPTH);
    }
  }

  private *clearUp(host: HostContext): Steps<Errno> {
    const { event } = this.config;
    if (event === 'migrate') {
      // The device has what moved to it; another one, or the host, would have it moved once more.
      const errno = yield* host.launch(FIRST_DEVICE, 0, 0, 0);
      if (errno !== Errno.OK) return errno;
    }
    return event === 'unmap' || event === 'migrate' ? yield* this.mapAgain(host) : Errno.OK;
  }

  /** Pages that have moved do not come back: that would be an invalidation of the kind that is measured. */
  private *mapAgain(host: HostContext): Steps<Errno> {
    const gone = yield* host.munmap(this.start, this.config.pages);
    if (gone !== Errno.OK) return gone;
    const errno = yield* mapBuffer(host, this.start, this.config.pages);
    return errno === Errno.OK ? yield* host.madvise(this.start, this.config.pages, Advice.NoHugePage) : errno;
  }

  private *touchAll(context: DeviceContext): Steps<Errno> {
    for (let i = context.index; i < this.config.pages; i += context.count) {
      const at = yield* holdPage(context, vpn(this.start + i), false);
      if (at < 0) return toErrno(at);
      const found = context.memory.words[at];
      context.release();
      if (found !== this.wordOf(vpn(this.start + i))) return Errno.EIO;
    }
    return Errno.OK;
  }

  /** What the span held is gone after a round. */
  private get beginsAnew(): boolean {
    return this.config.event !== 'protect';
  }

  private wordOf(page: Vpn): number {
    return 1 + (page - this.start);
  }
}
