/** What a process has said about a span of its memory, for all devices together. */

import { type DeviceMask, NO_DEVICE } from './deviceMask.js';
import { Location, type Place } from './location.js';

/** @kernel KFD_IOCTL_SVM_FLAG_* */
export const SvmFlag = {
  HostAccess: 0x01,
  Coherent: 0x02,
  HiveLocal: 0x04,
  GpuReadOnly: 0x08,
  GpuExec: 0x10,
  GpuReadMostly: 0x20,
  GpuAlwaysMapped: 0x40,
  ExtCoherent: 0x80,
} as const;
export const SVM_FLAGS_ALL = 0xff;

/** Order of pages that migrate together. @kernel amdgpu_svm_default_granularity */
export const DEFAULT_GRANULARITY = 9;
/** @kernel svm_range_apply_attrs */
export const GRANULARITY_MAX = 0x3f;

/** Immutable. @kernel svm_range */
export interface SvmAttributes {
  readonly preferred: Place;
  /** Where the last prefetch went. */
  readonly prefetched: Place;
  /** Devices that may migrate the pages to themselves. @kernel bitmap_access */
  readonly access: DeviceMask;
  /** Devices that map the pages where they are. @kernel bitmap_aip */
  readonly inPlace: DeviceMask;
  /** Of {@link SvmFlag}. */
  readonly flags: number;
  readonly granularity: number;
  /** Devices, and the CPU, that `set_accessed_by` named. */
  readonly accessedBy: DeviceMask;
  readonly accessedByCpu: boolean;
}

/** @kernel svm_range_set_default_attributes, svm_range_new */
export function defaultAttributes(access: DeviceMask): SvmAttributes {
  return {
    preferred: Location.Undefined,
    prefetched: Location.Undefined,
    access,
    inPlace: NO_DEVICE,
    flags: SvmFlag.HostAccess | SvmFlag.Coherent,
    granularity: DEFAULT_GRANULARITY,
    accessedBy: NO_DEVICE,
    accessedByCpu: false,
  };
}

/** @kernel svm_range_is_same_attrs */
export function sameAttributes(a: SvmAttributes, b: SvmAttributes): boolean {
  return (
    a.preferred === b.preferred &&
    a.prefetched === b.prefetched &&
    a.access === b.access &&
    a.inPlace === b.inPlace &&
    a.flags === b.flags &&
    a.granularity === b.granularity &&
    a.accessedBy === b.accessedBy &&
    a.accessedByCpu === b.accessedByCpu
  );
}
