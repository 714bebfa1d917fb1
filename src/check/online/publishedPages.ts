/** The pages objects that a step of a task which holds a notifier lock may be about. */

import type { Vpn } from '../../base/units.js';
import { DriverRange, type RangeDevice } from '../../driver/driverRange.js';
import type { SvmVm } from '../../driver/svmVm.js';
import type { GpuSvmPages } from '../../drm/gpusvm/pages.js';
import type { IntervalNotifier } from '../../mm/mirror/mmuNotifier.js';

/** The part that a device has of the range which is exactly `[start, start + npages)`; null if there is none, or its range is not in the tree. */
export function partAt(vm: SvmVm, start: number, npages: number, device: number): RangeDevice | null {
  const range = vm.gpusvm.findRange(start as Vpn);
  if (!(range instanceof DriverRange) || range.start !== start || range.npages !== npages) return null;
  for (const part of range.parts) if (part.gpu.index === device) return part;
  return null;
}

/** The notifier that covers a page of the mirror. */
export function intervalAt(vm: SvmVm, page: number): IntervalNotifier | null {
  return vm.gpusvm.findNotifier(page as Vpn)?.interval ?? null;
}

/** Whether a device has the process's pages of this span bound by hand: the step may be about those. */
export function isUserptr(vm: SvmVm, start: number, npages: number, device: number): boolean {
  return userptrAt(vm, start, npages, device) !== null;
}

/** The pages of the process that a device has bound by hand. */
export function userptrAt(vm: SvmVm, start: number, npages: number, device: number): GpuSvmPages | null {
  for (const [gpu, deviceVm] of vm.deviceVms) {
    if (gpu.index !== device) continue;
    for (const { userptr } of deviceVm.vas()) {
      if (userptr !== null && userptr.start === start && userptr.npages === npages) return userptr.pages;
    }
  }
  return null;
}
