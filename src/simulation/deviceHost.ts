/** A device with its control plane: made in its worker, or on the main thread under `virtual`. */

import type { DeviceActor } from '../actors/deviceActor.js';
import type { GpuActivity, GpuSnapshot } from '../device/gpuSnapshot.js';
import type { Interconnect } from '../device/interconnect.js';
import type { Port } from '../sim/port.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Programs } from '../workload/ownProgram.js';
import type { ActorProgress, Workload } from '../workload/workload.js';
import type { DeviceHost } from './actorHost.js';
import { actorPort, buildDevice, buildWorkloads, deviceActorId } from './assemble.js';
import type { SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';
import { waitsOf } from './waits.js';

export class LocalDevice implements DeviceHost {
  readonly actor: DeviceActor;
  readonly port: Port;
  private readonly workloads: readonly Workload[];

  constructor(
    private readonly sched: Scheduler,
    config: SimulationConfig,
    buffers: SharedBuffers,
    private readonly device: number,
    programs: Programs = {},
    /** Shared with the other devices, where they share a thread. */
    interconnect: Interconnect | null = null,
  ) {
    this.port = actorPort(sched, config, buffers, deviceActorId(device));
    this.workloads = buildWorkloads(config, buffers, programs);
    this.actor = buildDevice(sched, config, buffers, device, this.port, this.workloads, interconnect);
  }

  pause(): Promise<void> {
    return new Promise((resolve) => this.actor.gate.close(resolve));
  }

  resume(): void {
    this.actor.gate.open();
  }

  step(): Promise<void> {
    return new Promise((resolve) => this.actor.gate.step(resolve));
  }

  requestStop(): void {
    this.actor.gate.ending = true;
  }

  progress(): readonly ActorProgress[] {
    return this.workloads.map((workload) => ({ device: this.device, progress: workload.progress() }));
  }

  waits(): readonly string[] {
    return waitsOf(this.sched, deviceActorId(this.device));
  }

  activity(): GpuActivity {
    return this.actor.gpu.activity();
  }

  /** Notices of the host that are still in the ring count as carried out. */
  snapshot(): GpuSnapshot {
    this.port.drain(Number.POSITIVE_INFINITY);
    return this.actor.gpu.snapshot();
  }
}
