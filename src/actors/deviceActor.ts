/** The Device actor: one GPU, the requests that it answers, and the kernels that it runs. */

import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import { Gpu, type GpuWorld } from '../device/gpu.js';
import type { GpuConfig } from '../device/gpuConfig.js';
import type { SpaceId } from '../device/gpuSpace.js';
import type { GpuKernel } from '../device/kernelLaunch.js';
import type { FaultKind } from '../memory/faultKind.js';
import type { PageArrayId } from '../memory/pageArrays.js';
import { Gate } from '../sim/gate.js';
import type { Port } from '../sim/port.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import type { TimeCost } from '../sim/timeCost.js';
import { BindRight, DeviceMessage, HostMessage } from './messages.js';

/** Makes the kernel that a launch names; the workloads provide it. */
export type KernelSource = (workload: number, phase: number, a: number, b: number) => GpuKernel;

/** What the device's actor is given, besides what the GPU makes itself. */
export type DeviceWorld = Omit<GpuWorld, 'sink' | 'gate'>;

const nothing = {};

export class DeviceActor {
  readonly gpu: Gpu;
  readonly gate: Gate;
  private readonly sched: Scheduler;

  constructor(
    config: GpuConfig,
    world: DeviceWorld,
    private readonly host: Port,
    private readonly kernels: KernelSource,
  ) {
    this.sched = world.sched;
    this.gate = new Gate(world.sched, `pause of gpu${config.index}`);
    this.gpu = new Gpu(config, { ...world, gate: this.gate, sink: this });
    this.registerHandlers();
  }

  /** A fault of the GPU, served by the host. */
  *serve(page: Vpn, write: boolean, kind: FaultKind): Steps<Errno> {
    const fault = { page, write: write ? 1 : 0, kind };
    return (yield* this.host.call(DeviceMessage.fault, fault)).errno;
  }

  /**
   * Requests that change the page table or the TLB take effect as their message is delivered, so in the order of sending; where time is
   * modelled only their reply is late.
   */
  private registerHandlers(): void {
    const { host, gpu } = this;
    host.answer(HostMessage.allocVram, ({ npages, pfns }) => ({ result: gpu.allocVram(npages, pfns) }));
    host.answer(HostMessage.releaseVram, ({ id }) => {
      gpu.releaseVram(id);
      return nothing;
    });
    host.answer(HostMessage.zap, ({ page, npages }) => {
      gpu.zap(page, npages);
      return nothing;
    });
    host.serve(HostMessage.copy, (request) => this.copy(request));
    host.answer(HostMessage.removeSpace, ({ space }) => {
      gpu.removeSpace(space);
      return nothing;
    });
    host.serve(HostMessage.launch, (request) => this.launch(request));
    this.registerTimedHandlers();
  }

  private registerTimedHandlers(): void {
    const { host, gpu, sched } = this;
    if (sched.modelsTime) {
      host.serve(HostMessage.bind, (request) => {
        const errno = this.bind(request);
        return this.replyAfter(gpu.bindCostNs(request.npages), { errno });
      });
      host.serve(HostMessage.invalidateTlb, ({ page, npages }) => {
        gpu.invalidateTlb(page, npages);
        return this.replyAfter(gpu.config.costs.tlbInvalidateNs, nothing);
      });
      return;
    }
    host.answer(HostMessage.bind, (request) => ({ errno: this.bind(request) }));
    host.answer(HostMessage.invalidateTlb, ({ page, npages }) => {
      gpu.invalidateTlb(page, npages);
      return nothing;
    });
  }

  private bind(request: { page: Vpn; npages: number; addrs: PageArrayId; rights: number }): Errno {
    const { page, npages, addrs, rights } = request;
    return this.gpu.bind(
      page,
      npages,
      addrs,
      (rights & BindRight.Write) !== 0,
      (rights & BindRight.Atomic) !== 0,
    );
  }

  private *replyAfter<R>(cost: TimeCost, reply: R): Steps<R> {
    yield* this.sched.spend(cost);
    return reply;
  }

  private *copy(request: {
    src: Parameters<Gpu['copy']>[0];
    dst: Parameters<Gpu['copy']>[1];
    npages: number;
  }): Steps<{
    errno: Errno;
  }> {
    return { errno: yield* this.gpu.copy(request.src, request.dst, request.npages) };
  }

  private *launch(request: {
    space: SpaceId;
    workload: number;
    phase: number;
    a: number;
    b: number;
  }): Steps<{ errno: Errno }> {
    const { space, workload, phase, a, b } = request;
    const kernel = this.kernels(workload, phase, a, b);
    const { contexts } = this.gpu.config;
    return { errno: yield* this.gpu.launch(kernel, `workload${workload}`, contexts, space) };
  }
}
