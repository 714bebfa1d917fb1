/** Advice on managed memory, as CUDA and HIP take and report it: an attribute holds for a span only if each of its pages has it. */

import type { RangeMap } from '../../base/rangeMap.js';
import type { Vpn } from '../../base/units.js';
import { type DeviceMask, maskOf, without } from './deviceMask.js';
import { common } from './kfdSvm.js';
import { isDevice, Location, type Place } from './location.js';
import { type SvmAttributes, SvmFlag } from './svmAttributes.js';

/** Codes of the API, which are no errnos. */
export const ApiCode = { Success: 0, InvalidValue: 1, InvalidDevice: 101 } as const;
export type ApiCode = (typeof ApiCode)[keyof typeof ApiCode];

export const Advice = {
  SetReadMostly: 1,
  UnsetReadMostly: 2,
  SetPreferredLocation: 3,
  UnsetPreferredLocation: 4,
  SetAccessedBy: 5,
  UnsetAccessedBy: 6,
} as const;
export type Advice = (typeof Advice)[keyof typeof Advice];

/** What all pages of a span have in common. */
export interface ManagedReport {
  readonly readMostly: boolean;
  /** `Location.Undefined` also where pages differ. */
  readonly preferred: Place;
  readonly prefetched: Place;
  readonly accessedBy: DeviceMask;
  readonly accessedByCpu: boolean;
}

export class ManagedMemory {
  constructor(
    private readonly map: RangeMap<SvmAttributes>,
    private readonly devices: number,
    private readonly defaults: () => SvmAttributes,
  ) {}

  /** `place` is a device or, for the CPU, `Location.System`; read-mostly takes no place. */
  advise(start: Vpn, end: Vpn, advice: Advice, place: Place): ApiCode {
    if (!this.isPlace(place)) return ApiCode.InvalidDevice;
    this.map.update(start, end, (old) => advised(old ?? this.defaults(), advice, place));
    return ApiCode.Success;
  }

  /** Remembers where a prefetch was asked to go; other advice stays. */
  prefetched(start: Vpn, end: Vpn, place: Place): void {
    this.map.update(start, end, (old) => ({ ...(old ?? this.defaults()), prefetched: place }));
  }

  isPlace(place: Place): boolean {
    return place === Location.System || (isDevice(place) && place < this.devices);
  }

  report(start: Vpn, end: Vpn): ManagedReport {
    const pages = [...this.map.pieces(start, end)].map((piece) => piece.value ?? this.defaults());
    return {
      readMostly: pages.every((page) => (page.flags & SvmFlag.GpuReadMostly) !== 0),
      preferred: common(pages.map((page) => page.preferred)),
      prefetched: common(pages.map((page) => page.prefetched)),
      accessedBy: pages.map((page) => page.accessedBy).reduce((a, b) => a & b),
      accessedByCpu: pages.every((page) => page.accessedByCpu),
    };
  }
}

function advised(old: SvmAttributes, advice: Advice, place: Place): SvmAttributes {
  switch (advice) {
    case Advice.SetReadMostly:
      return { ...old, flags: old.flags | SvmFlag.GpuReadMostly };
    case Advice.UnsetReadMostly:
      return { ...old, flags: old.flags & ~SvmFlag.GpuReadMostly };
    case Advice.SetPreferredLocation:
      return { ...old, preferred: place };
    case Advice.UnsetPreferredLocation:
      return { ...old, preferred: Location.Undefined };
    case Advice.SetAccessedBy:
      return isDevice(place) ? accessedBy(old, place) : { ...old, accessedByCpu: true };
    case Advice.UnsetAccessedBy:
      return isDevice(place) ? notAccessedBy(old, place) : { ...old, accessedByCpu: false };
  }
}

/** A device that is told to keep a mapping has it wherever the pages are. */
function accessedBy(old: SvmAttributes, device: number): SvmAttributes {
  const mask = maskOf(device);
  return {
    ...old,
    accessedBy: old.accessedBy | mask,
    inPlace: old.inPlace | mask,
    access: without(old.access, device),
  };
}

function notAccessedBy(old: SvmAttributes, device: number): SvmAttributes {
  return {
    ...old,
    accessedBy: without(old.accessedBy, device),
    inPlace: without(old.inPlace, device),
    access: old.access | maskOf(device),
  };
}
