/** Carries out what a process says to one device's mirror of its memory. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import type { PageSpan } from '../../drm/gpuvm/addressRange.js';
import type { Steps } from '../../sim/steps.js';
import type { DriverRange } from '../driverRange.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { SvmVm } from '../svmVm.js';

/** Remembers the advice and returns the spans for which it is news. */
export type Advice = () => readonly PageSpan[];

/**
 * With the vm lock for write, so that no fault sees half of it, and after garbage is collected, since what was said of memory that is gone goes
 * with it. Errors: -ENOENT (the mirror is closed). @kernel xe_vm_madvise_ioctl
 */
export function* adviseMirror(vm: SvmVm, gpu: GpuHandle, span: PageSpan, advice: Advice): Steps<Errno> {
  const errno = yield* vm.beginChange();
  if (errno !== Errno.OK) return errno;
  yield* splitRanges(vm, span);
  yield* zapSpans(vm, gpu, advice());
  vm.vmLock.writeUnlock();
  return Errno.OK;
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
