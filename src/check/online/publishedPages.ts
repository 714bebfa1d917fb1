/** The pages objects that a step of a task which holds a notifier lock may be about. */

import type { Vpn } from '../../base/units.js';
import { DriverRange, type RangeDevice } from '../../driver/driverRange.js';
import type { SvmVm } from '../../driver/svmVm.js';
import { Userptr } from '../../driver/vmBind/userptr.js';
import type { GpuSvmPages } from '../../drm/gpusvm/pages.js';
import type { IntervalNotifier } from '../../mm/mirror/mmuNotifier.js';
import type { Mm } from '../../mm/process/mm.js';

/** The part that a device has of the range which is exactly `[start, start + npages)`; null if there is none, or its range is not in the tree. */
export function partAt(vm: SvmVm, start: number, npages: number, device: number): RangeDevice | null {
  const range = vm.gpusvm.findRange(start as Vpn);
  if (!(range instanceof DriverRange) || range.start !== start || range.npages !== npages) return null;
  for (const part of range.parts) if (part.gpu.index === device) return part;
  return null;
}

/**
 * The parts that a device has of ranges which fill `[start, start + npages)`, one or several side by side; none where something else is bound there, or
 * there is a gap.
 */
export function partsIn(vm: SvmVm, start: number, npages: number, device: number): RangeDevice[] {
  const parts: RangeDevice[] = [];
  for (let page = start; page < start + npages; ) {
    const range = vm.gpusvm.findRange(page as Vpn);
    const part = range === null ? null : partAt(vm, page, range.npages, device);
    if (range === null || part === null || range.end > start + npages) return [];
    if (vm.deviceVms.get(part.gpu)?.vaAt(page as Vpn)?.kind !== 'mirror') return [];
    parts.push(part);
    page = range.end;
  }
  return parts;
}

/** The notifier that covers a page of the mirror. */
export function intervalAt(vm: SvmVm, page: number): IntervalNotifier | null {
  return vm.gpusvm.findNotifier(page as Vpn)?.interval ?? null;
}

/** What a program has bound by hand, or is about to, of these pages of a process; not what waits to be registered. */
export function forEachUserptr(
  mm: Mm,
  start: number,
  end: number,
  visit: (userptr: Userptr, interval: IntervalNotifier) => void,
): void {
  mm.notifiers.forEachOverlap(start, end, (interval) => {
    if (interval.ops instanceof Userptr) visit(interval.ops, interval);
  });
}

/** A pages object with the notifier that tells of its pages. */
export interface MappedPages {
  readonly pages: GpuSvmPages;
  readonly interval: IntervalNotifier;
}

/**
 * Those of a device that a step which says that pages of this span have become valid, with these flags, can be about: of a range, and of what is
 * bound by hand. More than one where they are alike.
 */
export function mappedAt(
  vm: SvmVm,
  start: number,
  npages: number,
  device: number,
  flags: number,
): MappedPages[] {
  const found: MappedPages[] = [];
  const part = partAt(vm, start, npages, device);
  const interval = intervalAt(vm, start);
  if (part !== null && interval !== null) found.push({ pages: part.pages, interval });
  forEachUserptr(vm.mm, start, start + npages, (userptr, of) => {
    const { pages } = userptr;
    if (userptr.start === start && userptr.npages === npages && pages.device.index === device)
      found.push({ pages, interval: of });
  });
  return found.filter(({ pages }) => pages.flags === flags);
}
