/** Reads from shared memory what each actor is doing, for the status line. */

import type { ObserverBuffers } from '../observe/actorObserver.js';
import { Observation } from '../observe/observation.js';
import type { ActorStatus } from './runReport.js';

/** An actor that took steps since the last look runs; one that took none waits. */
export class ProgressReader {
  private readonly observation: Observation;
  private readonly seen: number[];

  constructor(
    buffers: ObserverBuffers,
    private readonly names: readonly string[],
  ) {
    this.observation = new Observation(buffers);
    this.seen = names.map(() => 0);
  }

  read(): ActorStatus[] {
    return this.names.map((name, actor) => {
      const steps = this.observation.steps(actor);
      const letter = steps === 0 ? 'I' : steps > this.seen[actor] ? 'R' : 'W';
      this.seen[actor] = steps;
      return { name, letter, steps };
    });
  }
}
