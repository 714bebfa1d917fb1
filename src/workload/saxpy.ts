/** y = a*x + y over all devices, each context its share of the elements. */

import { Errno } from '../base/errno.js';
import { PAGE_WORDS } from '../base/units.js';
import type { Steps } from '../sim/steps.js';
import { ComputeWorkload, type FilledBuffer, nextBufferStart } from './computeWorkload.js';
import type { RunProgressView } from './contextProgress.js';
import { toErrno } from './hostSteps.js';
import { contentExpectation, type ExpectedPage } from './pageContent.js';
import { PagedBuffer } from './pagedBuffer.js';
import { SaxpyModel, saxpyStep, saxpyX, saxpyY } from './saxpyModel.js';
import type { DeviceContext, Expectation } from './workload.js';
import type { SaxpyConfig } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';
import type { WorkloadWorld } from './workloadWorld.js';

/** A context's `done` counts the elements of its share that have had this round. */
export class Saxpy extends ComputeWorkload {
  protected readonly buffers: readonly FilledBuffer[];
  private readonly x: PagedBuffer;
  private readonly y: PagedBuffer;
  private readonly model: SaxpyModel;

  constructor(
    private readonly config: SaxpyConfig,
    index: number,
    world: WorkloadWorld,
  ) {
    super(config.name, index, world, config.elements, config.rounds);
    const { seed } = world;
    this.x = new PagedBuffer(this.base, config.elements);
    this.y = new PagedBuffer(nextBufferStart(this.base, this.x.npages), config.elements);
    this.model = new SaxpyModel(seed, config.elements);
    this.buffers = [
      {
        buffer: this.x,
        fill: (memory, base, first, count) => fillX(memory.floats, base, seed, first, count),
      },
      {
        buffer: this.y,
        fill: (memory, base, first, count) => fillY(memory.floats, base, seed, first, count),
      },
    ];
  }

  protected *compute(context: DeviceContext, round: number): Steps<Errno> {
    const { start, end } = this.partition.share(context.device, context.index);
    const { done } = this.record;
    const x = new Float32Array(PAGE_WORDS);
    this.record.begin(context.index, round);
    for (let at = start; at < end; ) {
      if (context.gate.isClosed) yield* context.gate.pass();
      if (context.gate.ending) return Errno.EINTR;
      const count = yield* this.computeSome(context, at, end - at, x);
      if (count < 0) return toErrno(count);
      at += count;
      done[context.index] += count;
      yield WorkloadStep.page;
    }
    return Errno.OK;
  }

  /** Up to the end of the page, which is the same one in both buffers; how many elements, or an errno. */
  private *computeSome(context: DeviceContext, at: number, limit: number, x: Float32Array): Steps<number> {
    const count = yield* this.x.loadSome(context, at, limit, x, 0);
    if (count < 0) return count;
    yield WorkloadStep.page;
    const index = yield* this.y.hold(context, at, true);
    if (index < 0) return index;
    const { floats } = context.memory;
    for (let i = 0; i < count; i++) floats[index + i] = saxpyStep(x[i], floats[index + i]);
    context.release();
    return count;
  }

  protected contents(view: RunProgressView): Expectation[] {
    const { seed } = this.world;
    const { x, y } = this;
    const fillExpectedX = (page: number, { floats }: ExpectedPage): void => {
      if (page < view.initialised) fillX(floats, 0, seed, page * PAGE_WORDS, x.elementsInPage(page));
    };
    const fillExpectedY = (page: number, expected: ExpectedPage): void => {
      if (x.npages + page < view.initialised) this.fillExpectedY(view, page, expected);
    };
    return [
      contentExpectation(x.start, x.npages, fillExpectedX, (element) => `x[${element}]`),
      contentExpectation(y.start, y.npages, fillExpectedY, (element) => this.describeY(view, element)),
    ];
  }

  private fillExpectedY(view: RunProgressView, page: number, { floats }: ExpectedPage): void {
    const first = page * PAGE_WORDS;
    const end = first + this.y.elementsInPage(page);
    for (let at = first; at < end; ) {
      const segment = this.partition.segmentAt(at, end);
      const rounds = view.phase(segment.device, segment.context);
      const doneEnd = segment.shareStart + view.done(segment.device, segment.context);
      for (; at < segment.end; at++)
        floats[at - first] = this.model.value(at, at < doneEnd ? rounds + 1 : rounds);
    }
  }

  private describeY(view: RunProgressView, element: number): string {
    if (element >= this.config.elements) return 'beyond the end of y';
    const { device, context, shareStart } = this.partition.segmentAt(element, element + 1);
    const done = element - shareStart < view.done(device, context);
    const rounds = view.phase(device, context) + (done ? 1 : 0);
    return `y[${element}] after ${rounds} rounds, by context ${context} of device ${device}`;
  }

  /** The model is computed as it is asked. */
  protected advancePlain(): boolean {
    return false;
  }

  protected describe(rounds: number): { what: string; counts: Record<string, number> } {
    const { elements } = this.config;
    return { what: `${elements} elements, ${rounds} rounds`, counts: { elements, rounds } };
  }
}

function fillX(floats: Float32Array, base: number, seed: number, first: number, count: number): void {
  for (let i = 0; i < count; i++) floats[base + i] = saxpyX(seed, first + i);
}

function fillY(floats: Float32Array, base: number, seed: number, first: number, count: number): void {
  for (let i = 0; i < count; i++) floats[base + i] = saxpyY(seed, first + i);
}
