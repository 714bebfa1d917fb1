/** A machine as it is before its first step, and the way back to there. */

import type { CheckerSet } from '../../check/online/checkerSet.js';
import type { Strategy } from '../../sim/strategy.js';
import type { SharedBuffers } from '../../simulation/sharedBuffers.js';
import type { SimulationConfig } from '../../simulation/simulationConfig.js';
import type { VirtualMachine } from '../../simulation/virtualMachine.js';
import { BufferImage } from './bufferImage.js';
import { ObjectImage } from './objectImage.js';

/** What a run is made of, that would otherwise be built anew for each. */
export interface WatchedMachine {
  readonly machine: VirtualMachine;
  readonly checkers: CheckerSet;
}

export class MachineImage {
  private readonly objects: ObjectImage;
  private readonly buffers: BufferImage;

  constructor(
    private readonly watched: WatchedMachine,
    config: SimulationConfig,
    buffers: SharedBuffers,
    /** Of the first run. */
    strategy: Strategy,
  ) {
    const constants = new Set<object>([config, buffers, strategy]);
    this.objects = new ObjectImage([watched], (node) => constants.has(node));
    this.buffers = new BufferImage(buffers);
  }

  /** Whether all of the machine is known. */
  get isWhole(): boolean {
    return this.objects.isWhole && this.watched.machine.executor.canBeginAgain;
  }

  /** Looks at everything; whether something was found changed that {@link restore} would not have put back. */
  learn(): boolean {
    const objects = this.objects.learn();
    return this.buffers.learn() || objects;
  }

  /** All that has been seen to change, frames and page tables excepted. */
  restore(strategy: Strategy): void {
    this.objects.restore();
    this.buffers.restore();
    this.watched.machine.executor.beginAgain(strategy);
  }
}
