/** Placement policies: which device's memory, if any, the pages of a fault should be in. */

import type { GpuHandle } from './gpuHandle.js';

/** What a policy is asked: a device faulted on pages that could be in device memory. */
export interface PlacementQuestion {
  /** The faulting device. */
  readonly gpu: GpuHandle;
  /** The mirror, with the devices behind it. */
  readonly vm: { readonly gpus: readonly GpuHandle[] };
}

export interface PlacementPolicy {
  readonly name: string;
  /** The device whose memory the pages should be in; null: leave them in RAM. */
  target(question: PlacementQuestion): GpuHandle | null;
  /** Whether pages in another device's memory are moved too, or mapped from there. @kernel DRM_XE_MIGRATE_ONLY_SYSTEM_PAGES */
  readonly onlySystemPages: boolean;
  /** Pages in any device's memory come home first. */
  readonly toSystem?: boolean;
}

/** To the device that faults. @kernel DRM_XE_PREFERRED_LOC_DEFAULT_DEVICE */
export function migrateToFaulting(onlySystemPages: boolean): PlacementPolicy {
  return { name: 'migrate', onlySystemPages, target: ({ gpu }) => gpu };
}

/** Nowhere: devices map RAM. @kernel DRM_XE_PREFERRED_LOC_DEFAULT_SYSTEM */
export const stayInRam: PlacementPolicy = { name: 'system', onlySystemPages: false, target: () => null };

/** Devices map pages wherever they lie, if they reach them there. */
export const stayWhereTheyAre: PlacementPolicy = { ...stayInRam, name: 'in place' };

/** To RAM, out of whatever device's memory. @kernel KFD_IOCTL_SVM_LOCATION_SYSMEM */
export const toSystem: PlacementPolicy = { ...stayInRam, name: 'to system', toSystem: true };

/** To one device, whoever faults; a mirror without that device leaves pages in RAM. */
export function preferDevice(index: number, onlySystemPages = false): PlacementPolicy {
  return {
    name: 'preferred',
    onlySystemPages,
    target: ({ vm }) => vm.gpus.find((gpu) => gpu.index === index) ?? null,
  };
}
