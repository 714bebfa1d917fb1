/** One context (warp) of a GPU: how its code reaches memory, stalls on a fault, and can be paused between two blocks. */

import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { AccessPort } from '../memory/accessPort.js';
import { FaultKind } from '../memory/faultKind.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { Gate } from '../sim/gate.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { DeviceStep } from './deviceStep.js';
import type { FaultBuffer } from './faultBuffer.js';
import type { GpuMmu } from './gpuMmu.js';
import { inSpace, type SpaceId } from './gpuSpace.js';

export interface GpuContextConfig {
  readonly device: number;
  /** In `[0, count)`: which share of the work is this context's. */
  readonly index: number;
  /** Contexts of the same launch. */
  readonly count: number;
  /** Whose addresses its accesses mean. */
  readonly space: SpaceId;
}

export class GpuContext implements AccessPort {
  /** Faults that this context has waited for. */
  faults = 0;
  /** What the device calls page 0 of the context's space. */
  private readonly base: number;

  constructor(
    readonly config: GpuContextConfig,
    readonly memory: PhysicalMemory,
    private readonly sched: Scheduler,
    private readonly mmu: GpuMmu,
    private readonly faultBuffer: FaultBuffer,
    /** Where the context stops while the run is paused. */
    readonly gate: Gate,
  ) {
    this.base = inSpace(config.space, 0 as Vpn);
  }

  get device(): number {
    return this.config.device;
  }

  get index(): number {
    return this.config.index;
  }

  get count(): number {
    return this.config.count;
  }

  tryPage(page: Vpn, write: boolean): number {
    return this.mmu.tryPage((page + this.base) as Vpn, write);
  }

  /** As {@link tryPage} for an atomic. */
  tryAtomic(page: Vpn): number {
    return this.mmu.tryAtomic((page + this.base) as Vpn);
  }

  /** Nothing to do: the device handles no request between two steps of a context. */
  release(): void {}

  *fault(page: Vpn, write: boolean, kind: FaultKind = FaultKind.Demand): Steps<Errno> {
    this.faults++;
    const { device, index } = this.config;
    const tagged = (page + this.base) as Vpn;
    this.sched.at(DeviceStep.contextBlocked, device, tagged, write ? 1 : 0, index);
    return yield* this.faultBuffer.raise(tagged, write, kind);
  }

  /** True when {@link pass} would wait; lets a hot loop skip the nested generator. */
  get mustPause(): boolean {
    return this.gate.isClosed;
  }

  /** To be called between two blocks, with nothing half done: waits while the run is paused. */
  pass(): Steps<void> {
    return this.gate.pass();
  }

  /** Accounts for modelled computation. */
  spend(ns: number): Steps<void> {
    return this.sched.spend(ns);
  }
}
