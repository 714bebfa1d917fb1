/** The actors of one run on one thread, connected and ready, and nothing that runs them. */

import type { Machine } from '../actors/machine.js';
import { Fabric, FabricLinks } from '../device/fabric/fabric.js';
import { MachineFabric } from '../device/fabric/machineFabric.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import type { Port } from '../sim/port.js';
import type { Strategy } from '../sim/strategy.js';
import { VirtualExecutor } from '../sim/virtual/virtualExecutor.js';
import type { ActorProgress } from '../workload/workload.js';
import { LocalCoordinator } from './coordinatorHost.js';
import { LocalCpu } from './cpuHost.js';
import { LocalDevice } from './deviceHost.js';
import type { Extensions } from './extensions.js';
import { actorNames, type SharedBuffers } from './sharedBuffers.js';
import type { SimulationConfig } from './simulationConfig.js';

export class VirtualMachine {
  readonly executor: VirtualExecutor;
  readonly coordinator: LocalCoordinator;
  readonly devices: readonly LocalDevice[];
  readonly cpus: readonly LocalCpu[];
  /** By actor. */
  readonly names: readonly string[];

  /** The buffers are as fresh ones: all zero. */
  constructor(
    config: SimulationConfig,
    buffers: SharedBuffers,
    strategy: Strategy,
    extensions: Extensions = {},
  ) {
    this.names = actorNames(config);
    this.executor = new VirtualExecutor(strategy);
    this.coordinator = new LocalCoordinator(this.executor, config, buffers, extensions);
    const machine = new MachineFabric(config.cost, config.deviceCount);
    const fabric = new Fabric(this.executor, machine.topology.capacities);
    this.devices = Array.from({ length: config.deviceCount }, (_, i) => {
      const links = new FabricLinks(this.executor, fabric, machine, i);
      return new LocalDevice(this.executor, config, buffers, i, extensions.programs, links);
    });
    const root = this.coordinator.tableRoot;
    this.cpus = config.workloads.map(
      (_, i) => new LocalCpu(this.executor, config, buffers, i, root, extensions.programs),
    );
    this.connectAll();
  }

  /** What is in it, without what conducts it. */
  get parts(): Machine {
    return {
      sched: this.executor,
      coordinator: this.coordinator.coordinator,
      devices: this.devices.map(({ actor }) => actor),
      cpus: this.cpus.map(({ thread }) => thread),
    };
  }

  /** Of all devices, at rest: what the host has sent counts as carried out. */
  snapshots(): GpuSnapshot[] {
    return this.devices.map((device) => device.snapshot());
  }

  /** By workload: of all devices, then of the thread that runs it. */
  progress(): ActorProgress[][] {
    const ofDevices = this.devices.map((device) => device.progress());
    return this.cpus.map((cpu, workload) => [...ofDevices.map((one) => one[workload]), ...cpu.progress()]);
  }

  private connectAll(): void {
    const others = [...this.devices, ...this.cpus];
    others.forEach((other, i) => {
      const name = this.names[1 + i];
      this.connect(this.coordinator.ports[i], other.port, name);
    });
  }

  private connect(coordinator: Port, other: Port, name: string): void {
    coordinator.peerPort = other;
    other.peerPort = coordinator;
    coordinator.onSend = this.executor.pump(other, `the coordinator to ${name}`);
    other.onSend = this.executor.pump(coordinator, `${name} to the coordinator`);
  }
}
