/** Decides for a fault where a range's pages should be, and whether they are there. */

import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { PagesFlag } from '../../drm/gpusvm/pages.js';
import { FaultKind } from '../../memory/faultKind.js';
import { NO_OWNER, type PagemapOwner } from '../../mm/migrate/devPagemap.js';
import { isDevice, Location } from '../attributes/location.js';
import { type Linked, type Placed, placementFor, placementOfBound } from '../attributes/placement.js';
import type { DriverRange, RangeDevice } from '../driverRange.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { PlacementPolicy } from '../placement.js';
import type { SvmVm } from '../svmVm.js';
import type { GpuFault } from './gpuFault.js';

/** What placement must know of the machine. */
export interface PlacementWorld {
  /** Where pages go of which nobody has said anything. */
  readonly fallback: PlacementPolicy;
  /** Whether devices own pages together, and so use each other's as they are. */
  readonly linked: Linked;
  /** A device of the process by its number; null where it has none such. */
  deviceOf(vm: SvmVm, index: number): GpuHandle | null;
  /** Smaller ranges stay in RAM. @kernel xe_device.info.vram_flags, XE_VRAM_FLAGS_NEED64K */
  readonly migratePagesMin: number;
}

export class RangePlacement {
  constructor(private readonly world: PlacementWorld) {}

  /** Errors: those of {@link placementFor}, of mirrors only. @kernel xe_vma_resolve_pagemap, xe_vma_need_vram_for_atomic */
  resolve(vm: SvmVm, gpu: GpuHandle, page: Vpn, write: boolean, kind: FaultKind): Placed | Errno {
    const { fallback, linked } = this.world;
    const placed = placementFor(vm.attributes, gpu, page, write, kind, linked, fallback);
    if (typeof placed !== 'number' || !vm.membership.has(gpu)) return placed;
    return vm.deviceVm(gpu).isBoundAt(page) ? placementOfBound(fallback) : placed;
  }

  /** The device to migrate to, or null when the pages should stay or are there. @kernel xe_svm_range_needs_migrate_to_vram */
  targetOf(fault: GpuFault, range: DriverRange, part: RangeDevice): GpuHandle | null {
    if (!range.migrateDevmem) return null;
    const target = this.wantedDevice(fault);
    if (target === null || this.isIn(part, target)) return null;
    return this.isLargeEnough(range) ? target : null;
  }

  /**
   * The device whose memory the policy wants the pages in. One that the driver has let go of has none: its pages stay in RAM, unless only its
   * memory would do, which the attempt at migration refuses. @kernel xe_vma_resolve_pagemap
   */
  wantedDevice(fault: GpuFault): GpuHandle | null {
    const device = this.preferredDevice(fault);
    return device?.dpagemap === null && !fault.devmemOnly ? null : device;
  }

  private preferredDevice({ wanted, gpu, vm }: GpuFault): GpuHandle | null {
    if (wanted === Location.Faulting) return gpu;
    return isDevice(wanted) ? this.world.deviceOf(vm, wanted) : null;
  }

  /** The policy wants the pages in RAM, wherever they are. */
  wantsSystem(fault: GpuFault): boolean {
    return !fault.devmemOnly && fault.wanted === Location.System;
  }

  /** The pages, as the device knows them, lie in device memory, and are to be in RAM. */
  mustComeHome(fault: GpuFault, { pages }: RangeDevice): boolean {
    return pages.has(PagesFlag.HasDevmemPages) && this.wantsSystem(fault);
  }

  /**
   * Whose device pages the fault may use as they are: nobody's where they are to be in RAM, so that they come home.
   * @kernel xe_svm_private_page_owner
   */
  ownerFor(fault: GpuFault): PagemapOwner {
    return this.wantsSystem(fault) ? NO_OWNER : fault.gpu.owner;
  }

  /** @kernel supports_4K_migration */
  isLargeEnough(range: DriverRange): boolean {
    return range.npages >= this.world.migratePagesMin;
  }

  /** The pages, as the device knows them, lie in that device's memory. @kernel xe_svm_range_has_pagemap_locked */
  isIn({ pages }: RangeDevice, target: GpuHandle): boolean {
    return pages.has(PagesFlag.HasDevmemPages) && pages.dpagemap === target.dpagemap;
  }

  /**
   * The device can do what it faulted for on the pages, as it knows them. An atomic needs its own memory, or RAM where the device does them there;
   * on the pages of a peer it would fault for ever.
   */
  worksThere(fault: GpuFault, part: RangeDevice): boolean {
    if (fault.kind !== FaultKind.Atomic) return true;
    if (!part.pages.has(PagesFlag.HasDevmemPages)) return !fault.devmemOnly;
    return this.isIn(part, fault.gpu);
  }

  /** The device has what the fault asks for: another fault was faster. The notifier lock is held. @kernel xe_svm_range_is_valid */
  isServed(fault: GpuFault, range: DriverRange, part: RangeDevice): boolean {
    fault.vm.gpusvm.notifierLock.assertHeld();
    if (!part.bound || (fault.write && !part.boundWritable)) return false;
    if (!this.worksThere(fault, part)) return false;
    if (!fault.isStrict) return true;
    return this.isPlaced(fault, range, part) || (!fault.devmemOnly && fault.tries === 0);
  }

  /** The pages are where the policy wants them: in the memory of its device, in RAM, or anywhere. @kernel xe_svm_range_validate */
  isPlaced(fault: GpuFault, range: DriverRange, part: RangeDevice): boolean {
    if (this.mustComeHome(fault, part)) return false;
    return this.targetOf(fault, range, part) === null;
  }
}
