/** The calls by which programs say what devices are to do, prefetch, join and leave the process, and be let go of by the driver, and ask what lies where. */

import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { DeviceMembership } from '../driver/deviceMembership.js';
import { MigrateTrigger } from '../driver/driverStep.js';
import type { RangePrefetch } from '../driver/fault/rangePrefetch.js';
import type { SpanPrefetch } from '../driver/fault/spanPrefetch.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import type { GpuUnbind } from '../driver/gpuUnbind.js';
import type { MirrorTable } from '../driver/mirrorTable.js';
import { preferDevice } from '../driver/placement.js';
import { noteMigration, pagesIn, walkMapped } from '../driver/spanWalk.js';
import { prefetchBound } from '../driver/vmBind/prefetchBound.js';
import type { Mm } from '../mm/process/mm.js';
import type { Port } from '../sim/port.js';
import { runAll } from '../sim/runAll.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';
import type { CpuService } from './cpuService.js';
import { CpuMessage } from './messages.js';

/** What the calls work on. */
export interface DeviceCallsWorld {
  readonly sched: Scheduler;
  /** Whose tasks serve them. */
  readonly actor: ActorId;
  readonly gpus: readonly GpuHandle[];
  readonly mirrors: MirrorTable;
  readonly membership: DeviceMembership;
  readonly prefetches: RangePrefetch;
  readonly spanPrefetches: SpanPrefetch;
  readonly gpuUnbind: GpuUnbind;
  /** What migrates as a whole, at most. */
  readonly wholePages: number;
}

/** Target of a prefetch that means RAM. */
const RAM = -1;

export class DeviceCalls {
  /** Devices that the driver is about to let go of. */
  private readonly leaving = new Set<GpuHandle>();

  constructor(private readonly world: DeviceCallsWorld) {}

  /** For one CPU thread, in the name of the process that it runs. */
  serve(port: Port, thread: Pick<CpuService, 'inside'>): void {
    const self = this;
    port.serve(CpuMessage.prefetch, function* ({ page, npages, target, depth }) {
      const end = (page + npages) as Vpn;
      const prefetch = (mm: Mm): Steps<Errno> => self.prefetch(mm, page, end, target, depth);
      return { errno: yield* thread.inside<Errno>(Errno.ENOENT, prefetch) };
    });
    port.serve(CpuMessage.residency, function* ({ page, npages, target }) {
      const look = function* (mm: Mm): Steps<number> {
        yield* self.world.sched.spend(mm.kernel.costs.syscallNs);
        return pagesIn(mm, page, (page + npages) as Vpn, target);
      };
      return { npages: yield* thread.inside<number>(0, look) };
    });
    port.serve(CpuMessage.membership, function* ({ device, joins }) {
      const change = (mm: Mm): Steps<Errno> => self.changeMembership(mm, device, joins !== 0);
      return { errno: yield* thread.inside<Errno>(Errno.ENOENT, change) };
    });
    port.serve(CpuMessage.unbind, function* ({ device }) {
      return { errno: yield* self.unbind(device) };
    });
  }

  /** Errors: -ENODEV, and those of prefetches. What is not mapped is passed over. @kernel xe_vma_prefetch */
  private *prefetch(mm: Mm, start: Vpn, end: Vpn, target: number, depth: number): Steps<Errno> {
    const gpu = this.world.gpus[target];
    if (gpu !== undefined) return yield* this.prefetchTo(gpu, mm, start, end, depth);
    return target === RAM ? yield* this.prefetchHome(mm, start, end, depth) : Errno.ENODEV;
  }

  private *prefetchTo(gpu: GpuHandle, mm: Mm, start: Vpn, end: Vpn, depth: number): Steps<Errno> {
    const { mirrors, spanPrefetches } = this.world;
    const vm = mirrors.memberVm(mm, gpu);
    if (vm === null) return Errno.ENODEV;
    const errno = yield* prefetchBound(vm, gpu, { start, end });
    if (errno !== Errno.OK) return errno;
    const policy = preferDevice(gpu.index);
    return yield* this.inShares(mm, start, end, depth, (from, to) =>
      spanPrefetches.run({ vm, gpu, start: from, end: to, policyOf: () => policy }),
    );
  }

  /** Such a call names no device, so none gets the pages bound. */
  private *prefetchHome(mm: Mm, start: Vpn, end: Vpn, depth: number): Steps<Errno> {
    const { mirrors, prefetches } = this.world;
    for (const vm of mirrors.of(mm)) {
      const errno = yield* this.inShares(mm, start, end, depth, (from, to) =>
        walkMapped(mm, from, to, (at) => prefetches.toRam(vm, at)),
      );
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** Splits the span among `depth` tasks, between what migrates as a whole. */
  private *inShares(
    mm: Mm,
    start: Vpn,
    end: Vpn,
    depth: number,
    share: (from: Vpn, to: Vpn) => Steps<Errno>,
  ): Steps<Errno> {
    const { sched, actor, wholePages } = this.world;
    const wholes = Math.ceil((end - start) / wholePages);
    const pages = Math.max(1, Math.ceil(wholes / depth)) * wholePages;
    const tasks: Steps<Errno>[] = [];
    for (let from: number = start; from < end; from += pages) {
      const to = Math.min(end, from + pages) as Vpn;
      tasks.push(noted(mm, from as Vpn, to, share(from as Vpn, to)));
    }
    return yield* runAll(sched, actor, 'prefetch', tasks);
  }

  private *changeMembership(mm: Mm, device: number, joins: boolean): Steps<Errno> {
    const gpu = this.world.gpus[device];
    if (gpu === undefined) return Errno.ENODEV;
    const { membership } = this.world;
    return yield* joins ? membership.join(mm, gpu) : membership.leave(mm, gpu);
  }

  /** Errors: -ENODEV, the driver has let go of it already; -EBUSY, it is about to; those of {@link GpuUnbind.unbind}. @kernel xe_pci_remove */
  private *unbind(device: number): Steps<Errno> {
    const gpu = this.world.gpus[device];
    if (gpu === undefined || gpu.dpagemap === null) return Errno.ENODEV;
    if (this.leaving.has(gpu)) return Errno.EBUSY;
    this.leaving.add(gpu);
    const errno = yield* this.world.gpuUnbind.unbind(gpu);
    this.leaving.delete(gpu);
    return errno;
  }
}

/** A task of its own, which a trace asks for the cause of what migrates in it. */
function* noted(mm: Mm, start: Vpn, end: Vpn, share: Steps<Errno>): Steps<Errno> {
  noteMigration(mm, start, end, MigrateTrigger.Prefetch);
  return yield* share;
}
