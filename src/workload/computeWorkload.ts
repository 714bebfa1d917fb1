/** What the computing workloads have in common: map, fill, launch phase after phase on all devices, compare. */

import { Errno } from '../base/errno.js';
import { alignUp, PMD_PAGES, type Vpn, vpn } from '../base/units.js';
import type { Steps } from '../sim/steps.js';
import { ProgressRecord, RunProgressView } from './contextProgress.js';
import { comparePages, type FillPage, failure, fillBuffer, launchAll, mapBuffer } from './hostSteps.js';
import type { PagedBuffer } from './pagedBuffer.js';
import { Partition } from './partition.js';
import {
  type ActorProgress,
  bufferBase,
  type DeviceContext,
  type DeviceKernel,
  type Expectation,
  emptyIf,
  type HostContext,
  type Progress,
  type Workload,
  type WorkloadResult,
} from './workload.js';
import { WorkloadStep } from './workloadStep.js';
import { checkContext, type WorkloadWorld } from './workloadWorld.js';

export interface FilledBuffer {
  readonly buffer: PagedBuffer;
  readonly fill: FillPage;
}

/** Where a buffer after `npages` pages from `start` begins: 2 MiB aligned, so that the largest ranges fit, and an area of its own. */
export function nextBufferStart(start: Vpn, npages: number): Vpn {
  return vpn(alignUp(start + npages + 1, PMD_PAGES));
}

export abstract class ComputeWorkload implements Workload {
  protected readonly record: ProgressRecord;
  protected readonly base: Vpn;
  protected readonly partition: Partition;

  constructor(
    readonly name: string,
    index: number,
    protected readonly world: WorkloadWorld,
    /** What is split over the contexts. */
    elements: number,
    /** Launches on all devices. */
    protected readonly phases: number,
  ) {
    this.record = new ProgressRecord(world.contextsPerDevice);
    this.base = bufferBase(index);
    this.partition = new Partition(elements, world.deviceCount, world.contextsPerDevice);
  }

  /** In the order in which they are filled. */
  protected abstract readonly buffers: readonly FilledBuffer[];
  /**
   * One context's share of one phase; keeps the record up to date at each passing of the gate. -EINTR when it ends there because the run
   * does: the next phase may not begin then.
   */
  protected abstract compute(context: DeviceContext, phase: number): Steps<Errno>;
  /** From how far every context is. */
  protected abstract contents(view: RunProgressView): Expectation[];
  /** Brings the plain computation closer to `phases` phases; false when it is there. Bounded work, so that a host program can yield between. */
  protected abstract advancePlain(phases: number): boolean;
  /** `1048576 elements, 2 rounds`; counts for the summary. */
  protected abstract describe(phases: number): { what: string; counts: Record<string, number> };

  *run(host: HostContext): Steps<WorkloadResult> {
    const filled = yield* this.prepare(host);
    if (filled !== Errno.OK) return failure(this.name, 'preparing its buffers', filled);
    let phase = 0;
    for (; phase < this.phases && !host.stopping; phase++) {
      if (host.gate.isClosed) yield* host.gate.pass();
      const errno = yield* launchAll(host, phase);
      if (errno === Errno.EINTR) return this.stoppedIn(phase);
      if (errno !== Errno.OK) return failure(this.name, `phase ${phase} on the devices`, errno);
    }
    return yield* this.verify(host, phase);
  }

  kernel(device: number, phase: number): DeviceKernel {
    this.record.bindTo(device);
    return (context) => {
      checkContext(context, this.world);
      return this.compute(context, phase);
    };
  }

  progress(): Progress {
    return this.record.snapshot();
  }

  expect(progress: readonly ActorProgress[]): Expectation[] {
    return this.contents(new RunProgressView(progress));
  }

  private *prepare(host: HostContext): Steps<Errno> {
    for (const { buffer } of this.buffers) {
      const errno = yield* mapBuffer(host, buffer.start, buffer.npages);
      if (errno !== Errno.OK) return errno;
    }
    for (const { buffer, fill } of this.buffers) {
      const errno = yield* fillBuffer(host, buffer, fill, () => {
        this.record.initialised++;
      });
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** In the middle of a phase there is no result to compare; what memory must hold is known all the same. */
  private stoppedIn(phase: number): WorkloadResult {
    const { what, counts } = this.describe(phase);
    const detail = `${what}, stopped in the next phase`;
    return { workload: this.name, ok: true, detail, counts, ...emptyIf(phase === 0) };
  }

  private *verify(host: HostContext, phases: number): Steps<WorkloadResult> {
    while (this.advancePlain(phases)) yield WorkloadStep.compute;
    const comparison = yield* comparePages(host, this.contents(this.completed(phases)));
    const { what, counts } = this.describe(phases);
    const early = phases < this.phases ? `, stopped after ${phases} of ${this.phases}` : '';
    return {
      workload: this.name,
      ok: comparison.first === null,
      detail: comparison.first ?? `${what}${early}: ${comparison.pages} pages as computed on one thread`,
      counts: { ...counts, mismatchedPages: comparison.mismatches },
      ...emptyIf(phases === 0),
    };
  }

  /** The progress of a run in which every context has ended `phases` phases. */
  private completed(phases: number): RunProgressView {
    const { deviceCount, contextsPerDevice } = this.world;
    const initialised = this.buffers.reduce((sum, { buffer }) => sum + buffer.npages, 0);
    const all: ActorProgress[] = [
      { device: -1, progress: { initialised, phase: new Float64Array(0), done: new Float64Array(0) } },
    ];
    for (let device = 0; device < deviceCount; device++) {
      const phase = new Float64Array(contextsPerDevice).fill(Math.max(phases - 1, 0));
      const done = new Float64Array(contextsPerDevice);
      for (let context = 0; phases > 0 && context < contextsPerDevice; context++) {
        const { start, end } = this.partition.share(device, context);
        done[context] = this.doneOfShare(start, end);
      }
      all.push({ device, progress: { initialised: 0, phase, done } });
    }
    return new RunProgressView(all);
  }

  /** What `done` is when a share has been worked through. */
  protected doneOfShare(start: number, end: number): number {
    return end - start;
  }
}
