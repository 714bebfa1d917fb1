/** Carries out what a process says about its memory: remembers it, makes ranges follow it, and prefetches. */

import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn } from '../../base/units.js';
import type { PageSpan } from '../../drm/gpuvm/addressRange.js';
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
import { devicesIn } from './deviceMask.js';
import type { SvmChange } from './kfdSvm.js';
import { isDevice, Location, type Place } from './location.js';
import { adviseMirror } from './mirrorAdvice.js';
import { type Linked, policyAt, prefetchPlace } from './placement.js';
import type { ProcessAttributes } from './processAttributes.js';
import type { XeMadvise } from './xeMadvise.js';

/** A span of a process's addresses. */
export interface Span {
  readonly mm: Mm;
  readonly start: Vpn;
  readonly end: Vpn;
}

/** How memory gets where it is asked for: range by range, as KFD and the managed-memory APIs do it, or a span as a whole, as xe does. */
export interface Prefetches {
  readonly ranges: RangePrefetch;
  readonly spans: SpanPrefetch;
}

export class AttributeDriver {
  constructor(
    private readonly gpus: readonly GpuHandle[],
    private readonly mirrors: MirrorTable,
    private readonly prefetches: Prefetches,
    /** Whether two devices use each other's memory as it is. */
    readonly linked: Linked,
  ) {}

  /** What the process has said; null when it is not mirrored. */
  attributesOf(mm: Mm): ProcessAttributes | null {
    return this.mirrors.attributesOf(mm);
  }

  /** -EFAULT unless all of the span is mapped, with memory that can be faulted in. @kernel svm_range_is_valid */
  checkSpan({ mm, start, end }: Span): Errno {
    if (end <= start || end > TASK_SIZE_PAGES) return Errno.EINVAL;
    for (let page: number = start; page < end; ) {
      const vma = mm.vmas.find(page as Vpn);
      if (vma === null || (vma.flags & VmFlag.MixedMap) !== 0) return Errno.EFAULT;
      page = vma.end;
    }
    return Errno.OK;
  }

  /**
   * Errors: -EINVAL (a device that the process does not have, no page), -EFAULT (not mapped), and those of mapping the span where devices
   * serve no faults. @kernel svm_range_set_attr
   */
  *setShared(span: Span, changes: readonly SvmChange[]): Steps<Errno> {
    const said = this.attributesOf(span.mm);
    if (said === null) return Errno.ENODEV;
    const errno = said.kfd.check(changes) || this.checkSpan(span) || (yield* said.watch());
    if (errno !== Errno.OK) return errno as Errno;
    said.kfd.apply(span.start, span.end, changes);
    yield* this.follow(
      span,
      changes.some(({ kind }) => kind === 'access' || kind === 'clearFlags'),
    );
    const moved = changes.some(({ kind }) => kind === 'prefetch')
      ? yield* this.migrate(span, said)
      : Errno.OK;
    return moved === Errno.OK ? yield* this.mapUsers(span, said) : moved;
  }

  /** Tells one device's mirror. Errors: -ENODEV (it mirrors nothing of the process), and those of {@link adviseMirror}. */
  *advise(
    { mm, start, end }: Span,
    gpu: GpuHandle,
    tell: (mirror: XeMadvise) => readonly PageSpan[],
  ): Steps<Errno> {
    const said = this.attributesOf(mm);
    const vm = this.mirrors.memberVm(mm, gpu);
    if (said === null || vm === null) return Errno.ENODEV;
    return yield* adviseMirror(vm, gpu, { start, end }, () => tell(said.mirrors[gpu.index]));
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

  /** Brings the span where its last prefetch is to go. @kernel svm_range_trigger_migration */
  private *migrate(span: Span, said: ProcessAttributes): Steps<Errno> {
    for (const { start, end, value } of [...said.shared.pieces(span.start, span.end)]) {
      if (value === undefined) continue;
      const place = prefetchPlace(value, said.kfd.xnackEnabled, this.linked);
      const piece = { mm: span.mm, start: start as Vpn, end: end as Vpn };
      const errno = yield* this.prefetch(piece, place);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  /** Devices that are to have a mapping at all times get it now. @kernel svm_range_validate_and_map */
  private *mapUsers(span: Span, said: ProcessAttributes): Steps<Errno> {
    for (const { start, end, value } of [...said.shared.pieces(span.start, span.end)]) {
      if (value === undefined) continue;
      const users = said.kfd.xnackEnabled ? value.inPlace : value.access | value.inPlace;
      for (const device of devicesIn(users)) {
        if (!this.mirrors.has(span.mm, this.gpus[device])) continue;
        const piece = { mm: span.mm, start: start as Vpn, end: end as Vpn };
        const errno = yield* this.bindAt(piece, this.gpus[device], () => stayWhereTheyAre);
        if (errno !== Errno.OK) return errno;
      }
    }
    return Errno.OK;
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
      return yield* this.prefetchMirror(span, gpu, () => stayInRam);
    }
    if (!isDevice(place)) return Errno.OK;
    const user = this.linked(gpu.index, place) ? gpu : this.gpus[place];
    return yield* this.prefetchAll(span, user, () => preferDevice(place));
  }

  /** To where the attributes want what `gpu` uses. @kernel DRM_XE_CONSULT_MEM_ADVISE_PREF_LOC */
  *prefetchAdvised(span: Span, gpu: GpuHandle, fallback: PlacementPolicy): Steps<Errno> {
    const said = this.attributesOf(span.mm);
    const advised = (page: Vpn): PlacementPolicy => {
      const policy = policyAt(said, gpu, page, false, this.linked);
      return policy === null || typeof policy === 'number' ? fallback : policy;
    };
    return yield* this.prefetchAll(span, gpu, advised);
  }

  /** What a program has bound itself, and mirrors. */
  private *prefetchAll(span: Span, gpu: GpuHandle, policyOf: (page: Vpn) => PlacementPolicy): Steps<Errno> {
    const vm = this.mirrors.memberVm(span.mm, gpu);
    if (vm === null) return Errno.ENODEV;
    noteMigration(span.mm, span.start, span.end, MigrateTrigger.Prefetch);
    const errno = yield* vm.deviceVm(gpu).prefetch(span);
    return errno === Errno.OK ? yield* this.prefetchMirror(span, gpu, policyOf) : errno;
  }

  private *prefetchMirror(
    { mm, start, end }: Span,
    gpu: GpuHandle,
    policyOf: (page: Vpn) => PlacementPolicy,
  ): Steps<Errno> {
    const vm = this.mirrors.memberVm(mm, gpu);
    if (vm === null) return Errno.ENODEV;
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
    const vm = this.mirrors.of(span.mm).find(({ gpus }) => gpus.includes(gpu));
    if (vm === undefined) return Errno.ENODEV;
    const errno = yield* vm.deviceVm(gpu).prefetch(span);
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
