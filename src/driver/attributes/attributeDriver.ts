/** Carries out what a process says about its memory: remembers it, makes ranges follow it, and prefetches. */

import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import { VmFlag } from '../../mm/area/vma.js';
import type { Mm } from '../../mm/process/mm.js';
import type { Steps } from '../../sim/steps.js';
import type { DriverRange } from '../driverRange.js';
import { MigrateTrigger } from '../driverStep.js';
import type { RangePrefetch } from '../fault/rangePrefetch.js';
import type { SpanPrefetch } from '../fault/spanPrefetch.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { MirrorTable } from '../mirrorTable.js';
import { type PlacementPolicy, preferDevice, stayInRam, stayWhereTheyAre } from '../placement.js';
import { firstOnDevice, noteMigration, walkMapped } from '../spanWalk.js';
import type { SvmVm } from '../svmVm.js';
import { prefetchBound } from '../vmBind/prefetchBound.js';
import type { SvmChange } from './kfdSvm.js';
import { isDevice, Location, type Place } from './location.js';
import { adviseMirror, type MirrorAdvice } from './mirrorAdvice.js';
import { type Linked, policyAt } from './placement.js';
import type { ProcessAttributes } from './processAttributes.js';
import { SetAttr, type SpanActions } from './setAttr.js';
import type { Span } from './span.js';

/** How memory gets where it is asked for: range by range, as KFD and the managed-memory APIs do it, or a span as a whole, as xe does. */
export interface Prefetches {
  readonly ranges: RangePrefetch;
  readonly spans: SpanPrefetch;
}

export class AttributeDriver implements SpanActions {
  private readonly setAttr: SetAttr;

  constructor(
    private readonly gpus: readonly GpuHandle[],
    private readonly mirrors: MirrorTable,
    private readonly prefetches: Prefetches,
    /** Whether two devices use each other's memory as it is. */
    readonly linked: Linked,
  ) {
    this.setAttr = new SetAttr(gpus, mirrors, linked, this);
  }

  /** What the process has said; null when it is not mirrored. */
  attributesOf(mm: Mm): ProcessAttributes | null {
    return this.mirrors.attributesOf(mm);
  }

  /** -EFAULT unless all of the span is mapped, with memory that can be faulted in. */
  checkMapped({ mm, start, end }: Span): Errno {
    if (end <= start || end > TASK_SIZE_PAGES) return Errno.EINVAL;
    for (let page: number = start; page < end; ) {
      const vma = mm.vmas.find(page as Vpn);
      if (vma === null || (vma.flags & VmFlag.MixedMap) !== 0) return Errno.EFAULT;
      page = vma.end;
    }
    return Errno.OK;
  }

  /** The same; -EADDRINUSE where the program has bound something of its own on any device. @kernel svm_range_is_valid, svm_range_check_vm */
  checkSpan(span: Span): Errno {
    const errno = this.checkMapped(span);
    if (errno !== Errno.OK) return errno;
    const isBound = this.mirrors.of(span.mm).some(({ deviceVms }) => {
      return [...deviceVms.values()].some((deviceVm) => deviceVm.hasBound(span));
    });
    return isBound ? Errno.EADDRINUSE : Errno.OK;
  }

  /**
   * Errors: -EINVAL (a device that the process does not have, no page), those of {@link checkSpan}, and of {@link SetAttr.run}.
   * @kernel kfd_ioctl_svm
   */
  *setShared(span: Span, changes: readonly SvmChange[]): Steps<Errno> {
    const said = this.attributesOf(span.mm);
    if (said === null) return Errno.ENODEV;
    // Nothing may come between the look at the span and the change.
    const errno = said.kfd.check(changes) || (yield* said.watch()) || this.checkSpan(span);
    if (errno !== Errno.OK) return errno as Errno;
    return yield* this.setAttr.run(span, said, changes);
  }

  /**
   * Tells one device's mirrors; what is bound by hand there is not told. Errors: -ENODEV (it mirrors nothing of the process), and those of
   * {@link adviseMirror}.
   */
  *advise({ mm, start, end }: Span, gpu: GpuHandle, advice: MirrorAdvice): Steps<Errno> {
    const said = this.attributesOf(mm);
    const vm = this.mirrors.memberVm(mm, gpu);
    if (said === null || vm === null) return Errno.ENODEV;
    return yield* adviseMirror(vm, gpu, { start, end }, advice, said.mirrors[gpu.index]);
  }

  /**
   * Ranges that reach over an end of the span make way for smaller ones; with `refault` the devices also lose the others, so that they ask anew.
   * Pages stay where they are.
   */
  *follow({ mm, start, end }: Span, refault: boolean): Steps<void> {
    for (const vm of this.mirrors.of(mm)) yield* this.followIn(vm, start, end, refault);
  }

  private *followIn(vm: SvmVm, start: Vpn, end: Vpn, refault: boolean): Steps<void> {
    yield* vm.vmLock.write();
    yield* vm.svmLock.lock();
    const inside: DriverRange[] = [];
    for (const range of vm.gpusvm.rangesIn(start, end)) {
      const crosses = range.start < start || range.end > end;
      if (crosses) vm.collector.add(range as DriverRange);
      else if (refault) inside.push(range as DriverRange);
    }
    for (const range of inside) yield* vm.unmapParts(range, range.parts);
    vm.svmLock.unlock();
    yield* vm.collector.collectLocked();
    vm.vmLock.writeUnlock();
  }

  /** The device loses what it has of the span. */
  *unbind({ mm, start, end }: Span, gpu: GpuHandle): Steps<void> {
    for (const vm of this.mirrors.of(mm)) {
      yield* vm.vmLock.write();
      yield* vm.svmLock.lock();
      for (const range of [...vm.gpusvm.rangesIn(start, end)] as DriverRange[]) {
        const part = range.find(gpu);
        if (part !== null) yield* vm.unmapParts(range, [part]);
      }
      vm.svmLock.unlock();
      vm.vmLock.writeUnlock();
    }
  }

  /** The device maps the span where it is, if it reaches it there. Errors: those of faults. */
  bindInPlace(span: Span, gpu: GpuHandle): Steps<Errno> {
    return this.bindAt(span, gpu, () => stayWhereTheyAre);
  }

  /**
   * Migrates the span and maps it on the device that it goes to; to RAM it goes for no device in particular. Holes are skipped. Errors: -EINVAL
   * for a device that does not exist, and those of faults. @kernel svm_migrate_to_vram
   */
  *prefetch(span: Span, place: Place): Steps<Errno> {
    if (place === Location.System) return yield* this.prefetchHome(span);
    if (!isDevice(place)) return Errno.OK;
    const target = this.gpus[place];
    if (target === undefined) return Errno.EINVAL;
    noteMigration(span.mm, span.start, span.end, MigrateTrigger.Prefetch);
    return yield* this.bindAt(span, target, () => preferDevice(place));
  }

  /**
   * To RAM or a device's memory, and mapped for `gpu` if it reaches the place, otherwise for the device that it goes to. Errors: those of
   * {@link SpanPrefetch.run}.
   */
  *prefetchFor(span: Span, place: Place, gpu: GpuHandle): Steps<Errno> {
    if (place === Location.System) {
      noteWayHome(span);
      return yield* this.prefetchAll(span, gpu, () => stayInRam, true);
    }
    if (!isDevice(place)) return Errno.OK;
    const user = this.linked(gpu.index, place) ? gpu : this.gpus[place];
    noteMigration(span.mm, span.start, span.end, MigrateTrigger.Prefetch);
    return yield* this.prefetchAll(span, user, () => preferDevice(place));
  }

  /** To where the attributes want what `gpu` uses. @kernel DRM_XE_CONSULT_MEM_ADVISE_PREF_LOC */
  *prefetchAdvised(span: Span, gpu: GpuHandle, fallback: PlacementPolicy): Steps<Errno> {
    const said = this.attributesOf(span.mm);
    const advised = (page: Vpn): PlacementPolicy => {
      const policy = policyAt(said, gpu, page, false, this.linked);
      return policy === null || typeof policy === 'number' ? fallback : policy;
    };
    noteMigration(span.mm, span.start, span.end, MigrateTrigger.Prefetch);
    return yield* this.prefetchAll(span, gpu, advised);
  }

  /** What a program has bound itself, and mirrors. */
  private *prefetchAll(
    { mm, start, end }: Span,
    gpu: GpuHandle,
    policyOf: (page: Vpn) => PlacementPolicy,
    toRam = false,
  ): Steps<Errno> {
    const vm = this.mirrors.memberVm(mm, gpu);
    if (vm === null) return Errno.ENODEV;
    const errno = yield* prefetchBound(vm, gpu, { start, end }, toRam);
    if (errno !== Errno.OK) return errno;
    return yield* this.prefetches.spans.run({ vm, gpu, start, end, policyOf });
  }

  private *prefetchHome(span: Span): Steps<Errno> {
    noteWayHome(span);
    const { mm, start, end } = span;
    for (const vm of this.mirrors.of(mm)) {
      const errno = yield* walkMapped(mm, start, end, (page) => this.prefetches.ranges.toRam(vm, page));
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  private *bindAt(span: Span, gpu: GpuHandle, policyOf: (page: Vpn) => PlacementPolicy): Steps<Errno> {
    const vm = this.mirrors.memberVm(span.mm, gpu);
    if (vm === null) return Errno.ENODEV;
    const errno = yield* prefetchBound(vm, gpu, span);
    if (errno !== Errno.OK) return errno;
    return yield* walkMapped(span.mm, span.start, span.end, (page) => {
      const write = span.mm.vmas.find(page)?.isWritable === true;
      return this.prefetches.ranges.toDevice(vm, gpu, page, policyOf(page), write);
    });
  }
}

/** Nothing moves where nothing is in device memory. */
function noteWayHome({ mm, start, end }: Span): void {
  if (firstOnDevice(mm, start, end) < end) noteMigration(mm, start, end, MigrateTrigger.Prefetch);
}
