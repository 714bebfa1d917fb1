/** Placement policies: where the pages of a fault should be. */

import type { Vpn } from '../base/units.js';
import { Location, type Place } from './attributes/location.js';

/** What a policy is asked: a device faulted on pages that could be in device memory. Devices are numbers, from 0. */
export interface PlacementQuestion {
  /** The faulting device. */
  readonly device: number;
  /** The devices that mirror the process, the faulting one among them. */
  readonly members: readonly number[];
  /** The process's number. */
  readonly process: number;
  /** The page of the process's address space. */
  readonly page: Vpn;
  readonly write: boolean;
  /** A program asks for pages that it has not accessed yet. */
  readonly isPrefetch: boolean;
  /** Whether the faulting device uses that device's memory where it is; not so if there is no such device, or the driver has let go of it. */
  reaches(device: number): boolean;
}

/** Asked once per attempt to serve a fault, under the vm lock or none; must not change anything. The same question may be asked again. */
export interface PlacementPolicy {
  readonly name: string;
  /**
   * A device: its memory. `Location.Faulting`: that of the faulting device. `Location.System`: RAM, out of whatever memory they are in.
   * `Location.Undefined`: where they are, if the faulting device reaches them there, else RAM.
   */
  place(question: PlacementQuestion): Place;
  /** Whether pages in another device's memory are moved too, or mapped from there. @kernel DRM_XE_MIGRATE_ONLY_SYSTEM_PAGES */
  readonly onlySystemPages: boolean;
}

/** To the device that faults. @kernel DRM_XE_PREFERRED_LOC_DEFAULT_DEVICE */
export function migrateToFaulting(onlySystemPages: boolean): PlacementPolicy {
  return { name: 'migrate', onlySystemPages, place: () => Location.Faulting };
}

/** In RAM, out of whatever device's memory. @kernel DRM_XE_PREFERRED_LOC_DEFAULT_SYSTEM, KFD_IOCTL_SVM_LOCATION_SYSMEM */
export const stayInRam: PlacementPolicy = {
  name: 'system',
  onlySystemPages: false,
  place: () => Location.System,
};

/** Devices map pages wherever they lie, if they reach them there. */
export const stayWhereTheyAre: PlacementPolicy = {
  name: 'in place',
  onlySystemPages: false,
  place: () => Location.Undefined,
};

/** To one device, whoever faults, unless it has no way to it or the process does not use it: then to RAM. */
export function preferDevice(index: number, onlySystemPages = false): PlacementPolicy {
  return {
    name: 'preferred',
    onlySystemPages,
    place: (question) =>
      question.members.includes(index) && question.reaches(index) ? index : Location.System,
  };
}
