/** A program in code of the user's own: what it has to offer, and how it becomes a workload. */

import type { Vpn } from '../base/units.js';
import type { Steps } from '../sim/steps.js';
import {
  type ActorProgress,
  BUFFER_PAGES,
  bufferBase,
  type DeviceKernel,
  type Expectation,
  type HostContext,
  type Progress,
  type Workload,
  type WorkloadResult,
} from './workload.js';
import type { WorkloadWorld } from './workloadWorld.js';

/** Every actor makes an instance of its own: the CPU thread runs `run`, each device its kernels. They share nothing but simulated memory. */
export interface OwnProgram {
  /**
   * Runs on a CPU thread of its own, from the start of the run. Returns in words what went wrong, null when all is well. Between two operations a
   * long program passes the gate (`if (host.gate.isClosed) yield* host.gate.pass()`), so that the run can be held.
   */
  run(host: HostContext): Steps<string | null>;
  /** What `host.launch(device, phase, a, b)` runs, once for each context of the device. */
  kernel?(device: number, phase: number, a: number, b: number): DeviceKernel;
  /** What this actor's instance has done so far: plain data. */
  progress?(): Progress;
  /** What memory must hold whenever the run is held; without it the program looks itself at what it reads. */
  expect?(progress: readonly ActorProgress[]): Expectation[];
}

/** What a program is told of the run that it is part of. */
export interface ProgramPlace {
  /** First page of the addresses that are meant for this program, {@link BUFFER_PAGES} of them. */
  readonly start: Vpn;
  readonly deviceCount: number;
  /** Contexts of every launch. */
  readonly contextsPerDevice: number;
  readonly seed: number;
}

/** Called once by each actor that takes part in the program. */
export type ProgramMaker = (place: ProgramPlace) => OwnProgram;

/** By the name of the workload. */
export type Programs = Readonly<Record<string, ProgramMaker>>;

export class ProgramWorkload implements Workload {
  private readonly start: Vpn;
  private readonly program: OwnProgram;

  constructor(
    readonly name: string,
    make: ProgramMaker,
    index: number,
    { deviceCount, contextsPerDevice, seed }: WorkloadWorld,
  ) {
    this.start = bufferBase(index);
    this.program = make({ start: this.start, deviceCount, contextsPerDevice, seed });
  }

  *run(host: HostContext): Steps<WorkloadResult> {
    const wrong = yield* this.program.run(host);
    return { workload: this.name, ok: wrong === null, detail: wrong ?? 'as it should', counts: {} };
  }

  kernel(device: number, phase: number, a: number, b: number): DeviceKernel {
    const { program, name } = this;
    if (program.kernel === undefined) throw new Error(`${name} launches a kernel, but has none`);
    return program.kernel(device, phase, a, b);
  }

  progress(): Progress {
    return this.program.progress?.() ?? {};
  }

  expect(progress: readonly ActorProgress[]): Expectation[] {
    return this.program.expect?.(progress) ?? [this.anything()];
  }

  /** Whatever its own addresses hold is what it wants there. */
  private anything(): Expectation {
    return { start: this.start, npages: BUFFER_PAGES, check: () => null, isAnything: true };
  }
}
