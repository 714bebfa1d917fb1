/** The plain computation of the Jacobi relaxation, whole grids at a time, to compare with. */

import { assert } from '../base/assert.js';
import { hashUnit } from './hash32.js';

const KEPT = 3;
const QUARTER = Math.fround(0.25);

export function jacobiStart(seed: number, element: number): number {
  return hashUnit(seed ^ 0x3c, element);
}

/** The mean of four neighbours in 32-bit floats; the order of the sums is part of the result. */
export function jacobiPoint(up: number, down: number, left: number, right: number): number {
  return Math.fround(QUARTER * Math.fround(Math.fround(Math.fround(up + down) + left) + right));
}

/** Keeps the last three grids: contexts of one iteration differ by one, and a buffer holds every other grid. */
export class JacobiModel {
  /** Grid after iteration `i` at `i % KEPT`, for the last {@link KEPT} iterations up to `latest`. */
  private readonly grids: Float32Array[] = [];
  private latest = -1;

  constructor(
    private readonly seed: number,
    private readonly rows: number,
    private readonly columns: number,
  ) {}

  /** The grid after `iteration` relaxations; valid until one more than two later is asked for. */
  grid(iteration: number): Float32Array {
    assert(iteration >= 0, () => `no grid after ${iteration} iterations`);
    if (iteration <= this.latest - KEPT) this.latest = -1;
    while (this.latest < iteration) this.advance();
    return this.at(iteration);
  }

  /** One iteration further towards `iteration`; false when it is reached. */
  advanceTowards(iteration: number): boolean {
    if (this.latest >= iteration) return false;
    this.advance();
    return true;
  }

  private advance(): void {
    this.latest++;
    const next = this.at(this.latest);
    if (this.latest === 0) this.start(next);
    else this.relax(this.at(this.latest - 1), next);
  }

  private at(iteration: number): Float32Array {
    const slot = iteration % KEPT;
    this.grids[slot] ??= new Float32Array(this.rows * this.columns);
    return this.grids[slot];
  }

  private start(grid: Float32Array): void {
    for (let i = 0; i < grid.length; i++) grid[i] = jacobiStart(this.seed, i);
  }

  private relax(from: Float32Array, to: Float32Array): void {
    to.set(from);
    const { rows, columns } = this;
    for (let row = 1; row < rows - 1; row++) {
      const end = (row + 1) * columns - 1;
      for (let i = row * columns + 1; i < end; i++) {
        to[i] = jacobiPoint(from[i - columns], from[i + columns], from[i - 1], from[i + 1]);
      }
    }
  }
}
