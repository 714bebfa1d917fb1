/** Finds the range of a page, or makes one, within what the GPU mirrors and the process has said the same of. */

import { assert } from '../../base/assert.js';
import type { Errno } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
import type { GpuSvmContext } from '../../drm/gpusvm/gpusvm.js';
import { PARK, type Steps } from '../../sim/steps.js';
import { DriverRange } from '../driverRange.js';
import type { SvmVm } from '../svmVm.js';

/** The range found or made, or why there is none. */
export type Found = { readonly range: DriverRange } | { readonly errno: Errno };

/**
 * With a reference, so that it survives outside the svm lock. The vm lock is held for read. Errors: those of {@link GpuSvm.rangeFindOrInsert}.
 * @kernel xe_svm_range_find_or_insert
 */
export function* findOrInsertRange(vm: SvmVm, page: Vpn, ctx: GpuSvmContext): Steps<Found> {
  const bound = vm.spanAround(page);
  const { start, end } = vm.attributes?.uniform(page, vpn(bound.start), vpn(bound.end)) ?? {
    start: vpn(bound.start),
    end: vpn(bound.end),
  };
  if (!vm.svmLock.beginLock()) yield PARK;
  const found = yield* vm.gpusvm.rangeFindOrInsert(page, start, end, ctx);
  if ('range' in found) vm.gpusvm.rangeGet(found.range);
  vm.svmLock.unlock();
  if ('errno' in found) return found;
  assert(found.range instanceof DriverRange, 'a range of another driver');
  return { range: found.range };
}
