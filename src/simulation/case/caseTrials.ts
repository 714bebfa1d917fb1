/** Runs one case again and again under the virtual executor, in the same memory. */

import type { Case } from '../../case/caseSchema.js';
import type { StepResult } from '../../case/stepResult.js';
import { BufferEraser } from '../bufferEraser.js';
import { allocateBuffers, type SharedBuffers } from '../sharedBuffers.js';
import type { SimulationConfig } from '../simulationConfig.js';
import type { VirtualMachine } from '../virtualMachine.js';
import { caseMachine } from './caseMachine.js';
import type { CaseTrial } from './caseTrial.js';
import { type Allocation, AllocationLog } from './failurePlan.js';
import { VirtualCase, type VirtualCaseResult } from './virtualCase.js';

/** A run in which nothing fails. */
export interface PlainRun extends VirtualCaseResult {
  readonly allocations: readonly Allocation[];
  /** Of each step, in the order in which they end. */
  readonly results: readonly StepResult[];
}

export class CaseTrials {
  private readonly config: SimulationConfig;
  /** Of one run after the other. */
  private readonly buffers: SharedBuffers;
  private readonly eraser: BufferEraser;
  /** What the last run has left in the memory; erased when the next one begins, which may never happen. */
  private last: VirtualMachine | null = null;

  constructor(
    private readonly one: Case,
    seed: number,
  ) {
    this.config = caseMachine(one, 'virtual', seed);
    this.buffers = allocateBuffers(this.config);
    this.eraser = new BufferEraser(this.config, this.buffers);
  }

  run(trial: CaseTrial): VirtualCaseResult {
    this.erase();
    const run = new VirtualCase(this.one, this.config, trial, this.buffers);
    this.last = run.machine;
    return run.run();
  }

  private erase(): void {
    if (this.last === null) return;
    this.eraser.eraseUsed(this.last);
    this.eraser.eraseRest();
    this.last = null;
  }

  runPlain(): PlainRun {
    const results: StepResult[] = [];
    const log = new AllocationLog(() => results.length);
    const afterStep: CaseTrial['afterStep'] = (_, result) => results.push(result);
    const found = this.run({ injector: log, observer: log, afterStep });
    return { ...found, allocations: log.allocations, results };
  }
}
