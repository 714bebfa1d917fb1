/** Reads from shared memory how many messages are on their way between an actor and the Coordinator. */

import type { LiveActor } from './liveRun.js';
import { openRing, type SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';

export class QueueReader {
  constructor(
    private readonly config: SimulationConfig,
    private readonly buffers: SharedBuffers,
  ) {}

  /** By actor; the Coordinator's own messages count at the other end. */
  of(actor: number): Pick<LiveActor, 'sent' | 'toReceive'> {
    if (actor === 0) return { sent: 0, toReceive: 0 };
    const { config, buffers } = this;
    const sent = openRing(config, buffers, actor, true).depth;
    return { sent, toReceive: openRing(config, buffers, actor, false).depth };
  }
}
