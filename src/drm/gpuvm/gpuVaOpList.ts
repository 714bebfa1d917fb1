/** The steps of a request as a list, each step allocated, so that a request can be looked at whole before anything of it is done. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { GpuVaOp } from './gpuVaOps.js';
import type { GpuVmOps, OpMemoryKind } from './gpuVmOps.js';

/**
 * To be freed once, done or not. In order; `list[0]`, `list.at(-1)` and their like are the first, the last and the neighbours of a step.
 * @kernel drm_gpuva_ops, drm_gpuva_for_each_op, drm_gpuva_for_each_op_safe, drm_gpuva_for_each_op_from_reverse, drm_gpuva_first_op, drm_gpuva_last_op, drm_gpuva_prev_op, drm_gpuva_next_op, drm_gpuva_for_each_op_reverse
 */
export class GpuVaOpList implements Iterable<GpuVaOp> {
  readonly list: GpuVaOp[] = [];
  private freed = false;

  constructor(private readonly memory: OpMemory) {}

  [Symbol.iterator](): IterableIterator<GpuVaOp> {
    return this.list[Symbol.iterator]();
  }

  /** Copies a step. Error: -ENOMEM, and nothing is left of the copy. @kernel drm_gpuva_sm_step */
  append(op: GpuVaOp): Errno {
    const errno = this.memory.allocStep(op);
    if (errno === Errno.OK) this.list.push(op);
    return errno;
  }

  /** Frees all steps and the list; once. @kernel drm_gpuva_ops_free */
  free(): void {
    assert(!this.freed, 'a list of steps is freed twice');
    this.freed = true;
    for (const op of this.list) this.memory.freeStep(op);
    this.memory.free('list');
  }
}

/** Who has the memory of steps: the driver's hooks, or nobody in particular. */
export class OpMemory {
  /** Allocations that are not freed. */
  live = 0;

  constructor(private readonly ops: GpuVmOps) {}

  /** False without memory. @kernel gpuva_op_alloc */
  alloc(kind: OpMemoryKind): boolean {
    if (this.ops.opAlloc?.(kind) === false) return false;
    this.live++;
    return true;
  }

  /** Gives back what {@link alloc} got. @kernel gpuva_op_free */
  free(kind: OpMemoryKind): void {
    assert(this.live > 0, 'more of a list of steps is freed than there is');
    this.live--;
    this.ops.opFree?.(kind);
  }

  /** A list without steps; null without memory. */
  newList(): GpuVaOpList | null {
    return this.alloc('list') ? new GpuVaOpList(this) : null;
  }

  /** The step, and for a remap its parts one after another; what was allocated is freed when one fails. Error: -ENOMEM. */
  allocStep(op: GpuVaOp): Errno {
    const kinds = kindsOf(op);
    const failed = kinds.findIndex((kind) => !this.alloc(kind));
    if (failed < 0) return Errno.OK;
    this.unwind(kinds.slice(0, failed));
    return Errno.ENOMEM;
  }

  /** The last one first. Upstream frees a remap's `prev` and forgets its `unmap` when there is no memory for `next`. */
  unwind(allocated: readonly OpMemoryKind[]): void {
    for (const kind of allocated.toReversed()) this.free(kind);
  }

  freeStep(op: GpuVaOp): void {
    this.unwind(kindsOf(op));
  }
}

function kindsOf(op: GpuVaOp): readonly OpMemoryKind[] {
  if (op.op !== 'remap') return ['op'];
  return [
    'op',
    'unmap',
    ...(op.prev === null ? [] : ['prev' as const]),
    ...(op.next === null ? [] : ['next' as const]),
  ];
}
