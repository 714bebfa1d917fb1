/** Brings what a policy expects a device to access next, after a fault of the device, while the device goes on. */

import { type Vpn, vpn } from '../../base/units.js';
import type { Kernel } from '../../mm/kernel.js';

import type { Steps } from '../../sim/steps.js';
import type { ActorId } from '../../sim/task.js';
import { DriverStep, MigrateTrigger } from '../driverStep.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { PrefetchPolicy } from '../prefetchPolicy.js';
import { noteMigration, walkMapped } from '../spanWalk.js';
import type { SvmVm } from '../svmVm.js';
import type { GpuFault } from './gpuFault.js';
import type { RangePrefetch } from './rangePrefetch.js';

/** One prefetch at a time of a device in a process: faults that are served meanwhile begin none, as it is ahead of them. */
export class PrefetchAhead {
  private readonly busy = new Map<SvmVm, Set<GpuHandle>>();

  constructor(
    private readonly kernel: Kernel,
    private readonly actor: ActorId,
    private readonly prefetches: RangePrefetch,
    private readonly policy: PrefetchPolicy,
  ) {}

  /** A fault on a mirror of the process's addresses was served. Never sleeps. */
  after(fault: GpuFault): void {
    const { vm, gpu, servedEnd } = fault;
    const area = vm.mm.vmas.find(vpn(servedEnd - 1));
    if (area === null || this.isBusy(vm, gpu)) return;
    const { device, members, process, page, write } = fault;
    const question = { device, members, process, page, write, servedEnd, areaEnd: area.end };
    const end = vpn(Math.min(servedEnd + this.policy.pagesAhead(question), area.end));
    if (end <= servedEnd) return;
    this.busyIn(vm).add(gpu);
    this.kernel.sched.spawn(this.actor, 'prefetch ahead', this.run(fault, end));
  }

  /** Nobody waits for it, so that what does not work is left to the fault that comes then. */
  private *run(fault: GpuFault, end: Vpn): Steps<void> {
    const { vm, gpu, policy, servedEnd } = fault;
    noteMigration(vm.mm, servedEnd, end, MigrateTrigger.Prefetch);
    const errno = yield* walkMapped(vm.mm, servedEnd, end, (page) => {
      const write = fault.write && vm.mm.vmas.find(page)?.isWritable === true;
      return this.prefetches.toDevice(vm, gpu, page, policy, write);
    });
    this.kernel.sched.at(DriverStep.prefetchedAhead, servedEnd, end - servedEnd, gpu.index, errno);
    this.busyIn(vm).delete(gpu);
    if (this.busyIn(vm).size === 0) this.busy.delete(vm);
  }

  private isBusy(vm: SvmVm, gpu: GpuHandle): boolean {
    return this.busy.get(vm)?.has(gpu) === true;
  }

  private busyIn(vm: SvmVm): Set<GpuHandle> {
    const busy = this.busy.get(vm) ?? new Set();
    this.busy.set(vm, busy);
    return busy;
  }
}
