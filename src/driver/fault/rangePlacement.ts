/** Decides for a fault where a range's pages should be, and whether they are there. */

import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import { FaultKind } from '../../memory/faultKind.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
import { type Linked, placementFor } from '../attributes/placement.js';
import type { DriverRange, RangeDevice } from '../driverRange.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { PlacementPolicy } from '../placement.js';
import type { SvmVm } from '../svmVm.js';
import type { GpuFault } from './gpuFault.js';

export class RangePlacement {
  /** By device; set as the devices are made. */
  readonly owners: PagemapOwner[] = [];

  constructor(
    /** Where pages go of which nobody has said anything. */
    private readonly fallback: PlacementPolicy,
  ) {}

  /** Whether devices own pages together, and so use each other's as they are. */
  readonly linked: Linked = (a, b) => a === b || this.owners[a] === this.owners[b];

  /** Errors: those of {@link placementFor}. @kernel xe_vma_resolve_pagemap */
  policyFor(vm: SvmVm, gpu: GpuHandle, page: Vpn, write: boolean, kind: FaultKind): PlacementPolicy | Errno {
    if (vm.attributes === null) return this.fallback;
    const access = kind === FaultKind.Atomic ? 'atomic' : write ? 'store' : 'load';
    return placementFor(vm.attributes, gpu, page, access, this.linked) ?? this.fallback;
  }

  /** The device to migrate to, or null when the pages should stay or are there. @kernel xe_svm_range_needs_migrate_to_vram */
  targetOf(fault: GpuFault, range: DriverRange, part: RangeDevice): GpuHandle | null {
    if (!range.migrateDevmem || fault.readOnly) return null;
    const target = fault.policy.target(fault);
    return target === null || this.isIn(part, target) ? null : target;
  }

  /** The pages, as the device knows them, lie in that device's memory. @kernel xe_svm_range_has_pagemap_locked */
  isIn({ pages }: RangeDevice, target: GpuHandle): boolean {
    return pages.has(PagesFlag.HasDevmemPages) && pages.dpagemap === target.dpagemap;
  }

  /** The device has what the fault asks for: another fault was faster. The notifier lock is held for read. @kernel xe_svm_range_is_valid */
  isServed(fault: GpuFault, range: DriverRange, part: RangeDevice): boolean {
    fault.vm.gpusvm.notifierLock.assertHeld();
    if (!part.bound || (fault.write && !part.boundWritable)) return false;
    return !fault.isStrict || fault.tries === 0 || this.targetOf(fault, range, part) === null;
  }
}
