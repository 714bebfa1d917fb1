/** Views of shared memory that all runs in the same memory use again: making one takes as long as several steps of the protocol. */

import { PhysicalLayout } from '../memory/physicalLayout.js';
import { Ring } from '../sim/ring.js';
import type { SharedBuffers } from './sharedBuffers.js';

/** Only of what nobody puts another version of a method into: a bug that one machine has must not be in the next one. */
export class SharedViews {
  readonly layout: PhysicalLayout;
  private readonly rings: (Ring | undefined)[] = [];

  private constructor(private readonly buffers: SharedBuffers) {
    this.layout = new PhysicalLayout(buffers.layout);
  }

  /** The same for the same buffers, as long as anybody uses them. */
  static of(buffers: SharedBuffers): SharedViews {
    let views = known.get(buffers);
    if (views === undefined) {
      views = new SharedViews(buffers);
      known.set(buffers, views);
    }
    return views;
  }

  /** A ring keeps where it is in the memory itself. `index`: counted in the buffer of rings. */
  ring(index: number, messages: number): Ring {
    let ring = this.rings[index];
    if (ring === undefined) {
      ring = new Ring(this.buffers.rings, index * Ring.bytesFor(messages), messages);
      this.rings[index] = ring;
    }
    return ring;
  }
}

const known = new WeakMap<SharedBuffers, SharedViews>();
