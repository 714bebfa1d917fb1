/** The program by which a modelled machine is measured: fills a buffer, then brings it to device 0, by a prefetch or by the faults of one context. */

import { Errno, errnoName } from '../base/errno.js';
import { type Vpn, vpn } from '../base/units.js';
import { holdPage } from '../memory/accessPort.js';
import type { Steps } from '../sim/steps.js';
import { mapBuffer, toErrno } from './hostSteps.js';
import {
  Advice,
  bufferBase,
  type DeviceContext,
  type DeviceKernel,
  type Expectation,
  type HostContext,
  type Progress,
  type Workload,
  type WorkloadResult,
} from './workload.js';
import type { MachineProbeConfig } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';

const DEVICE = 0;

/** Result count: `broughtNs`, from the call or launch until all is there. */
export class MachineProbe implements Workload {
  readonly name: string;
  private readonly base: Vpn;

  constructor(
    private readonly config: MachineProbeConfig,
    index: number,
  ) {
    this.name = config.name;
    this.base = bufferBase(index);
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    const prepared = yield* this.prepare(host);
    const startNs = host.now();
    const errno = prepared === Errno.OK ? yield* this.bring(host) : prepared;
    const broughtNs = host.now() - startNs;
    const detail = errno === Errno.OK ? `${this.config.pages} pages brought` : errnoName(errno);
    return { workload: this.name, ok: errno === Errno.OK, detail, counts: { broughtNs } };
  }

  kernel(): DeviceKernel {
    return (context) => this.touchRanges(context);
  }

  progress(): Progress {
    return {};
  }

  /** Each page's first word is its number. */
  expect(): Expectation[] {
    const check = (page: Vpn, words: Int32Array | null): string | null =>
      words?.[0] === this.valueOf(page) ? null : `its first word is ${words?.[0]}`;
    return [{ start: this.base, npages: this.config.pages, check }];
  }

  private *prepare(host: HostContext): Steps<Errno> {
    const { pages, hugePages } = this.config;
    const mapped = yield* mapBuffer(host, this.base, pages);
    if (mapped !== Errno.OK) return mapped;
    const advice = hugePages ? Advice.HugePage : Advice.NoHugePage;
    const advised = yield* host.madvise(this.base, pages, advice);
    if (advised !== Errno.OK) return advised;
    for (let i = 0; i < pages; i++) {
      const page = vpn(this.base + i);
      const at = yield* holdPage(host, page, true);
      if (at < 0) return toErrno(at);
      host.memory.words[at] = this.valueOf(page);
      host.release();
      yield WorkloadStep.page;
    }
    return Errno.OK;
  }

  private bring(host: HostContext): Steps<Errno> {
    const { by, pages, atOnce } = this.config;
    return by === 'prefetch' ? host.prefetch(this.base, pages, DEVICE, atOnce) : host.launch(DEVICE, 0, 0, 0);
  }

  /** One context, so that no two faults are under way at the same time. */
  private *touchRanges(context: DeviceContext): Steps<Errno> {
    if (context.index !== 0) return Errno.OK;
    const { pages, rangePages } = this.config;
    for (let first = 0; first < pages; first += rangePages) {
      const at = yield* holdPage(context, vpn(this.base + first), false);
      if (at < 0) return toErrno(at);
      context.release();
      yield WorkloadStep.access;
    }
    return Errno.OK;
  }

  private valueOf(page: Vpn): number {
    return 1 + page - this.base;
  }
}
