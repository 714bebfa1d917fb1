/** Carries out what a process says to one device's mirror of its memory. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import type { PageSpan } from '../../drm/gpuvm/addressRange.js';
import type { Steps } from '../../sim/steps.js';
import type { DriverRange } from '../driverRange.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { SvmVm } from '../svmVm.js';
import type { Place } from './location.js';
import { AtomicMode, type XeMadvise } from './xeMadvise.js';

/** What is said of a span. @kernel drm_xe_madvise */
export type MirrorAdvice =
  | { readonly kind: 'preferred'; readonly place: Place; readonly onlySystemPages: boolean }
  | { readonly kind: 'atomics'; readonly mode: AtomicMode };

/**
 * With the vm lock for write, so that no fault sees half of it, and after garbage is collected, since what was said of memory that is gone goes
 * with it. Errors: -ENOENT (the mirror is closed), -ENODEV (the device has left it), -EINVAL (atomics that an object bound there does not allow).
 * @kernel xe_vm_madvise_ioctl
 */
export function* adviseMirror(
  vm: SvmVm,
  gpu: GpuHandle,
  span: PageSpan,
  advice: MirrorAdvice,
  said: XeMadvise,
): Steps<Errno> {
  const errno = yield* vm.beginChangeFor(gpu);
  if (errno !== Errno.OK) return errno;
  const deviceVm = vm.deviceVm(gpu);
  const isSane = allowsObjects(advice) || !deviceVm.hasObject(span);
  if (isSane) {
    yield* splitRanges(vm, span);
    const news = deviceVm.mirrorsIn(span).flatMap((mirror) => remember(said, mirror, advice));
    yield* zapSpans(vm, gpu, news);
  }
  vm.vmLock.writeUnlock();
  return isSane ? Errno.OK : Errno.EINVAL;
}

/** Objects live in their device's memory, where the CPU takes no part in atomics. @kernel check_bo_args_are_sane */
function allowsObjects(advice: MirrorAdvice): boolean {
  return advice.kind !== 'atomics' || (advice.mode !== AtomicMode.Cpu && advice.mode !== AtomicMode.Global);
}

/** Returns the spans for which it is news. */
function remember(said: XeMadvise, { start, end }: PageSpan, advice: MirrorAdvice): readonly PageSpan[] {
  return advice.kind === 'atomics'
    ? said.setAtomics(start as Vpn, end as Vpn, advice.mode)
    : said.setPreferred(start as Vpn, end as Vpn, advice.place, advice.onlySystemPages);
}

/** Ranges that reach over an end of the span make way for smaller ones, and their pages come home first. @kernel xe_svm_unmap_address_range */
function* splitRanges(vm: SvmVm, span: PageSpan): Steps<void> {
  const across = rangesIn(vm, span).filter(({ start, end }) => start < span.start || end > span.end);
  // Pages that do not come home stay where they are: the new ranges find them there.
  for (const range of across) if (isInVram(range)) yield* vm.evictRange(range);
  for (const range of across) vm.collector.add(range);
  yield* vm.collector.collectLocked();
}

/** The pages, as some device knows them. @kernel xe_svm_range_in_vram */
function isInVram(range: DriverRange): boolean {
  return range.allPages.some((pages) => pages.has(PagesFlag.HasDevmemPages));
}

/** The device's next access asks where the pages should be. @kernel xe_zap_ptes_in_madvise_range */
function* zapSpans(vm: SvmVm, gpu: GpuHandle, spans: readonly PageSpan[]): Steps<void> {
  const { notifierLock } = vm.gpusvm;
  yield* notifierLock.read();
  yield* vm.invalidation.zapDevice(
    gpu,
    spans.flatMap((span) => rangesIn(vm, span)),
  );
  notifierLock.readUnlock();
}

function rangesIn(vm: SvmVm, { start, end }: PageSpan): DriverRange[] {
  return [...vm.gpusvm.rangesIn(start as Vpn, end as Vpn)] as DriverRange[];
}
