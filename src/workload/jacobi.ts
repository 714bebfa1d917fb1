/** Five-point Jacobi relaxation in two buffers, interior rows split over all devices and their contexts. */

import { Errno } from '../base/errno.js';
import { PAGE_WORDS } from '../base/units.js';
import type { Steps } from '../sim/steps.js';
import { ComputeWorkload, type FilledBuffer, nextBufferStart } from './computeWorkload.js';
import type { RunProgressView } from './contextProgress.js';
import { toErrno } from './hostSteps.js';
import { JacobiModel, jacobiPoint, jacobiStart } from './jacobiModel.js';
import { contentExpectation, type ExpectedPage } from './pageContent.js';
import { PagedBuffer } from './pagedBuffer.js';
import type { DeviceContext, Expectation } from './workload.js';
import type { JacobiConfig } from './workloadConfig.js';
import { WorkloadStep } from './workloadStep.js';
import type { WorkloadWorld } from './workloadWorld.js';

/** Three rows of the source and one of the result, in a context's registers. */
interface RowWindow {
  above: Float32Array;
  middle: Float32Array;
  below: Float32Array;
  readonly result: Float32Array;
}

/**
 * The partition counts interior rows from 0, so its row `r` is row `r + 1` of the grid. A context's `done` counts the interior points of its
 * rows that it has stored in this iteration, row by row. Iteration `i` reads buffer `i % 2` and writes the other one.
 */
export class Jacobi extends ComputeWorkload {
  protected readonly buffers: readonly FilledBuffer[];
  private readonly halves: readonly [PagedBuffer, PagedBuffer];
  private readonly model: JacobiModel;
  private readonly innerColumns: number;

  constructor(
    private readonly config: JacobiConfig,
    index: number,
    world: WorkloadWorld,
  ) {
    super(config.name, index, world, config.rows - 2, config.iterations);
    const { rows, columns } = config;
    const elements = rows * columns;
    const even = new PagedBuffer(this.base, elements);
    const odd = new PagedBuffer(nextBufferStart(this.base, even.npages), elements);
    this.halves = [even, odd];
    this.innerColumns = columns - 2;
    this.model = new JacobiModel(world.seed, rows, columns);
    // Both: the second one's border is never written again, its interior is before it is read.
    this.buffers = this.halves.map((buffer) => ({
      buffer,
      fill: ({ floats }, base, first, count) => {
        for (let i = 0; i < count; i++) floats[base + i] = jacobiStart(world.seed, first + i);
      },
    }));
  }

  protected *compute(context: DeviceContext, iteration: number): Steps<Errno> {
    const { start, end } = this.partition.share(context.device, context.index);
    this.record.begin(context.index, iteration);
    if (start === end) return Errno.OK;
    const source = this.halves[iteration % 2];
    const target = this.halves[(iteration + 1) % 2];
    const window = this.makeWindow();
    let errno = yield* this.loadRow(context, source, start, window.middle);
    if (errno === Errno.OK) errno = yield* this.loadRow(context, source, start + 1, window.below);
    for (let row = start + 1; row <= end && errno === Errno.OK; row++) {
      errno = yield* this.computeRow(context, source, target, row, window);
    }
    return errno;
  }

  private makeWindow(): RowWindow {
    const { columns } = this.config;
    return {
      above: new Float32Array(columns),
      middle: new Float32Array(columns),
      below: new Float32Array(columns),
      result: new Float32Array(columns),
    };
  }

  /** The window moves down by one row first. */
  private *computeRow(
    context: DeviceContext,
    source: PagedBuffer,
    target: PagedBuffer,
    row: number,
    window: RowWindow,
  ): Steps<Errno> {
    const { above, middle, below, result } = window;
    window.above = middle;
    window.middle = below;
    window.below = above;
    const errno = yield* this.loadRow(context, source, row + 1, window.below);
    if (errno !== Errno.OK) return errno;
    for (let column = 1; column <= this.innerColumns; column++) {
      const { above: up, middle: here, below: down } = window;
      result[column] = jacobiPoint(up[column], down[column], here[column - 1], here[column + 1]);
    }
    return yield* this.storeRow(context, target, row, result);
  }

  private *loadRow(
    context: DeviceContext,
    source: PagedBuffer,
    row: number,
    into: Float32Array,
  ): Steps<Errno> {
    const { columns } = this.config;
    for (let at = 0; at < columns; ) {
      if (context.gate.isClosed) yield* context.gate.pass();
      if (context.gate.ending) return Errno.EINTR;
      const count = yield* source.loadSome(context, row * columns + at, columns - at, into, at);
      if (count < 0) return toErrno(count);
      at += count;
      yield WorkloadStep.page;
    }
    return Errno.OK;
  }

  /** All but the borders. */
  private *storeRow(
    context: DeviceContext,
    target: PagedBuffer,
    row: number,
    from: Float32Array,
  ): Steps<Errno> {
    const { innerColumns } = this;
    const { done } = this.record;
    const first = row * this.config.columns;
    for (let at = 1; at <= innerColumns; ) {
      if (context.gate.isClosed) yield* context.gate.pass();
      if (context.gate.ending) return Errno.EINTR;
      const count = yield* target.storeSome(context, first + at, innerColumns + 1 - at, from, at);
      if (count < 0) return toErrno(count);
      at += count;
      done[context.index] += count;
      yield WorkloadStep.page;
    }
    return Errno.OK;
  }

  protected override doneOfShare(start: number, end: number): number {
    return (end - start) * this.innerColumns;
  }

  protected contents(view: RunProgressView): Expectation[] {
    return this.halves.map((buffer, parity) => {
      const filledBefore = parity * buffer.npages;
      const fill = (page: number, expected: ExpectedPage): void => {
        if (filledBefore + page < view.initialised) this.fillExpected(view, buffer, parity, page, expected);
      };
      return contentExpectation(buffer.start, buffer.npages, fill, (element) =>
        this.describeElement(view, parity, element),
      );
    });
  }

  private fillExpected(
    view: RunProgressView,
    buffer: PagedBuffer,
    parity: number,
    page: number,
    { floats }: ExpectedPage,
  ): void {
    const { columns } = this.config;
    const first = page * PAGE_WORDS;
    const end = first + buffer.elementsInPage(page);
    for (let at = first; at < end; ) {
      const row = Math.floor(at / columns);
      const rowEnd = Math.min(end, (row + 1) * columns);
      const firstOfRow = row * columns;
      const stored = this.storedInRow(view, row);
      const ahead = this.model.grid(gridIn(parity, stored.iteration + 1));
      const behind = this.model.grid(gridIn(parity, stored.iteration));
      for (; at < rowEnd; at++) {
        floats[at - first] = (at - firstOfRow <= stored.columns ? ahead : behind)[at];
      }
    }
  }

  /** The iteration that a row is in, and how many of its interior points that has stored. */
  private storedInRow(view: RunProgressView, row: number): { iteration: number; columns: number } {
    const inner = row - 1;
    if (inner < 0 || inner >= this.partition.total) return { iteration: 0, columns: 0 };
    const { device, context, shareStart } = this.partition.segmentAt(inner, inner + 1);
    const columns = view.done(device, context) - (inner - shareStart) * this.innerColumns;
    return { iteration: view.phase(device, context), columns: Math.max(columns, 0) };
  }

  private describeElement(view: RunProgressView, parity: number, element: number): string {
    const { rows, columns } = this.config;
    if (element >= rows * columns) return 'beyond the end of the grid';
    const row = Math.floor(element / columns);
    const { iteration, columns: stored } = this.storedInRow(view, row);
    const where = `row ${row}, column ${element % columns} of ${parity === 0 ? 'the even' : 'the odd'} buffer`;
    return `${where}, whose row is in iteration ${iteration} with ${stored} points stored`;
  }

  protected advancePlain(iterations: number): boolean {
    return this.model.advanceTowards(iterations);
  }

  protected describe(iterations: number): { what: string; counts: Record<string, number> } {
    const { rows, columns } = this.config;
    return {
      what: `${rows} x ${columns} grid, ${iterations} iterations`,
      counts: { points: rows * columns, iterations },
    };
  }
}

/** Which grid the buffer of this parity holds where `iterations` have been stored: before its first one, the start. */
function gridIn(parity: number, iterations: number): number {
  const grid = iterations % 2 === parity ? iterations : iterations - 1;
  return Math.max(grid, 0);
}
