/** The attributes that KFD's SVM ioctl sets and reports, with its rules for spans whose ranges differ. */

import { Errno } from '../../base/errno.js';
import type { RangeMap } from '../../base/rangeMap.js';
import type { Vpn } from '../../base/units.js';
import { type DeviceMask, firstDevices, hasDevice, maskOf, NO_DEVICE, without } from './deviceMask.js';
import { isDevice, Location, type Place } from './location.js';
import { defaultAttributes, GRANULARITY_MAX, type SvmAttributes, sameAttributes } from './svmAttributes.js';

/** @kernel KFD_IOCTL_SVM_ATTR_ACCESS, _ACCESS_IN_PLACE, _NO_ACCESS */
export const SvmAccess = { Access: 0, InPlace: 1, None: 2 } as const;
export type SvmAccess = (typeof SvmAccess)[keyof typeof SvmAccess];

/** One attribute of a request to set. @kernel kfd_ioctl_svm_attribute */
export type SvmChange =
  | { readonly kind: 'preferred'; readonly place: Place }
  | { readonly kind: 'prefetch'; readonly place: Place }
  | { readonly kind: 'access'; readonly device: number; readonly access: SvmAccess }
  | { readonly kind: 'setFlags'; readonly flags: number }
  | { readonly kind: 'clearFlags'; readonly flags: number }
  | { readonly kind: 'granularity'; readonly order: number };

/** What a span has in common. */
export interface SvmReport {
  /** The device or system memory that all ranges name, else `Location.Undefined`. */
  readonly preferred: Place;
  readonly prefetched: Place;
  readonly access: DeviceMask;
  readonly inPlace: DeviceMask;
  /** Set in all ranges. */
  readonly flags: number;
  /** Set in any range. */
  readonly flagsOfAny: number;
  /** The smallest. */
  readonly granularity: number;
}

export class KfdSvm {
  /** Devices serve faults, so unregistered memory is theirs to use. Changed only while no queue exists. */
  xnackEnabled = true;

  constructor(
    private readonly map: RangeMap<SvmAttributes>,
    private readonly devices: number,
  ) {}

  /** What memory has that nobody has registered. */
  get defaults(): SvmAttributes {
    return defaultAttributes(this.xnackEnabled ? firstDevices(this.devices) : NO_DEVICE);
  }

  /** -EINVAL for a device that the process does not have. @kernel svm_range_check_attr */
  check(changes: readonly SvmChange[]): Errno {
    return changes.every((change) => this.isValid(change)) ? Errno.OK : Errno.EINVAL;
  }

  /** The span is mapped and the changes are checked. @kernel svm_range_add, svm_range_apply_attrs */
  apply(start: Vpn, end: Vpn, changes: readonly SvmChange[]): void {
    this.map.update(start, end, (old) => changes.reduce(applyOne, old ?? this.defaults));
  }

  /** Memory between ranges that nobody has registered does not count, unless there is no range at all. @kernel svm_range_get_attr */
  report(start: Vpn, end: Vpn): SvmReport {
    const ranges = [...this.map.overlapping(start, end)].map((entry) => entry.value);
    return ranges.length === 0 ? reportOf([this.defaults]) : reportOf(ranges);
  }

  /** How a device may use the span. */
  accessOf(report: SvmReport, device: number): SvmAccess {
    if (hasDevice(report.access, device)) return SvmAccess.Access;
    return hasDevice(report.inPlace, device) ? SvmAccess.InPlace : SvmAccess.None;
  }

  private isValid(change: SvmChange): boolean {
    switch (change.kind) {
      case 'preferred':
        return change.place < 0 || change.place < this.devices;
      case 'prefetch':
        return change.place === Location.System || this.isKnown(change.place);
      case 'access':
        return this.isKnown(change.device);
      case 'setFlags':
      case 'clearFlags':
      case 'granularity':
        return true;
    }
  }

  private isKnown(device: number): boolean {
    return isDevice(device) && device < this.devices;
  }
}

/** Whether a request would change anything. Being told where to go is always news. @kernel svm_range_is_same_attrs */
export function isNews(old: SvmAttributes, changes: readonly SvmChange[]): boolean {
  return changes.some((change) => change.kind === 'prefetch' || !sameAttributes(old, applyOne(old, change)));
}

function applyOne(old: SvmAttributes, change: SvmChange): SvmAttributes {
  switch (change.kind) {
    case 'preferred':
      return { ...old, preferred: change.place };
    case 'prefetch':
      return { ...old, prefetched: change.place };
    case 'access':
      return withAccess(old, change.device, change.access);
    case 'setFlags':
      return { ...old, flags: old.flags | change.flags };
    case 'clearFlags':
      return { ...old, flags: old.flags & ~change.flags };
    case 'granularity':
      return { ...old, granularity: Math.min(change.order, GRANULARITY_MAX) };
  }
}

function withAccess(old: SvmAttributes, device: number, access: SvmAccess): SvmAttributes {
  const others = { access: without(old.access, device), inPlace: without(old.inPlace, device) };
  if (access === SvmAccess.Access) others.access |= maskOf(device);
  if (access === SvmAccess.InPlace) others.inPlace |= maskOf(device);
  return { ...old, ...others };
}

function reportOf(ranges: readonly SvmAttributes[]): SvmReport {
  return {
    preferred: common(ranges.map((range) => range.preferred)),
    prefetched: common(ranges.map((range) => range.prefetched)),
    access: ranges.map((range) => range.access).reduce((a, b) => a & b),
    inPlace: ranges.map((range) => range.inPlace).reduce((a, b) => a & b),
    flags: ranges.map((range) => range.flags).reduce((a, b) => a & b),
    flagsOfAny: ranges.map((range) => range.flags).reduce((a, b) => a | b),
    granularity: Math.min(...ranges.map((range) => range.granularity)),
  };
}

/** The place that all name, else `Location.Undefined`. */
export function common(places: readonly Place[]): Place {
  return places.every((place) => place === places[0]) ? places[0] : Location.Undefined;
}
