/** Shared memory of programs that are not run any more, for others of the same size: the engine frees it late, and hundreds of them would pile up. */

import { assert } from '../base/assert.js';
import { allocateBuffers, bufferShape, type SharedBuffers } from '../simulation/sharedBuffers.js';
import type { SimulationConfig } from '../simulation/simulationConfig.js';

/** A search for a smaller program compares two at a time, but goes from one size to the next and back: with a third of this 1.6 times as many are allocated. */
const KEPT_MAX = 12;

export class BufferStock {
  /** Those given last at the end. */
  private readonly kept: { readonly shape: string; readonly buffers: SharedBuffers }[] = [];

  /** All zero. */
  take(config: SimulationConfig): SharedBuffers {
    const shape = bufferShape(config);
    const at = this.kept.findIndex((one) => one.shape === shape);
    return at < 0 ? allocateBuffers(config) : this.kept.splice(at, 1)[0].buffers;
  }

  /** Of {@link take}, zero again, and used by nobody. */
  give(config: SimulationConfig, buffers: SharedBuffers): void {
    assert(!this.kept.some((one) => one.buffers === buffers), 'shared memory is given back twice');
    this.kept.push({ shape: bufferShape(config), buffers });
    if (this.kept.length > KEPT_MAX) this.kept.shift();
  }
}
