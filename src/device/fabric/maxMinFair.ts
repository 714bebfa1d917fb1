/** Max-min fair shares: each transfer gets as much of its links as it can without taking from one that has no more. */

import { assert } from '../../base/assert.js';

/** A transfer as its rate depends on it. */
export interface Share {
  /** Resources that it crosses, by index, each once. */
  readonly path: readonly number[];
  /** More it could not use, in bytes per nanosecond; Infinity where only the path limits it. */
  readonly most: number;
  /** Bytes per nanosecond: the result. */
  rate: number;
}

/**
 * Progressive filling: all rates grow alike until a resource is used up or a transfer has its most; what that stops keeps its rate, and the
 * others go on. `capacities` in bytes per nanosecond, by resource.
 *
 * D. Bertsekas and R. Gallager, "Data Networks", 2nd edition 1992, section 6.5.2.
 */
export function fillFairly(capacities: readonly number[], shares: readonly Share[]): void {
  const crossing = new Map<number, number>();
  const left = new Map<number, number>();
  for (const { path, most } of shares) {
    assert(path.length > 0 || most < Number.POSITIVE_INFINITY, 'nothing limits a transfer');
    for (const resource of path) {
      crossing.set(resource, (crossing.get(resource) ?? 0) + 1);
      left.set(resource, capacities[resource]);
    }
  }
  let growing = [...shares];
  for (const share of growing) share.rate = 0;
  for (let level = 0; growing.length > 0; ) {
    const step = nextStop(growing, level, crossing, left);
    level += step;
    for (const [resource, count] of crossing) left.set(resource, (left.get(resource) ?? 0) - count * step);
    growing = growing.filter((share) => !stopsAt(share, level, crossing, left));
  }
}

/** By how much all can grow until the first of them must stop. */
function nextStop(
  growing: readonly Share[],
  level: number,
  crossing: ReadonlyMap<number, number>,
  left: ReadonlyMap<number, number>,
): number {
  let step = Number.POSITIVE_INFINITY;
  for (const { most } of growing) step = Math.min(step, most - level);
  for (const [resource, count] of crossing) {
    if (count > 0) step = Math.min(step, Math.max(0, left.get(resource) ?? 0) / count);
  }
  return step;
}

/** Relative to the level: what rounding may leave of a resource that is used up. */
const ROUNDING = 1e-9;

/** Gives a share that can grow no more its rate, and takes it from the counts of those that grow. */
function stopsAt(
  share: Share,
  level: number,
  crossing: Map<number, number>,
  left: ReadonlyMap<number, number>,
): boolean {
  const slack = level * ROUNDING;
  const isFull = share.path.some(
    (resource) => (left.get(resource) ?? 0) <= slack * (crossing.get(resource) ?? 0),
  );
  if (!isFull && level < share.most - slack) return false;
  share.rate = level;
  for (const resource of share.path) crossing.set(resource, (crossing.get(resource) ?? 1) - 1);
  return true;
}
