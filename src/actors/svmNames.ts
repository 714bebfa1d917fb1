/** The names by which driver calls speak of places, rights, flags and advice, and what they are to the driver. */

import { SvmAccess } from '../driver/attributes/kfdSvm.js';
import { Location, type Place } from '../driver/attributes/location.js';
import { Advice } from '../driver/attributes/managedMemory.js';
import { SvmFlag } from '../driver/attributes/svmAttributes.js';
import { AtomicMode } from '../driver/attributes/xeMadvise.js';

/** No device has this number. */
const UNKNOWN_DEVICE = 1_000_000;

/** `gpu0` and so on, `sys` or `cpu`, `default`, `undefined` or `none`; anything else is a device that does not exist. */
export function placeOf(name: string): Place {
  if (name === 'sys' || name === 'cpu') return Location.System;
  if (name === 'undefined' || name === 'none') return Location.Undefined;
  if (name === 'default') return Location.Faulting;
  const device = /^gpu(\d+)$/.exec(name);
  return device === null ? UNKNOWN_DEVICE : Number(device[1]);
}

/** `system` and `nowhere` are what the interface calls these. */
export function nameOfPlace(place: Place, system: string, nowhere: string): string {
  if (place === Location.System) return system;
  return place === Location.Undefined ? nowhere : `gpu${place}`;
}

const flagNames: readonly (readonly [string, number])[] = [
  ['host_access', SvmFlag.HostAccess],
  ['gpu_exec', SvmFlag.GpuExec],
  ['coherent', SvmFlag.Coherent],
  ['hive_local', SvmFlag.HiveLocal],
  ['gpu_ro', SvmFlag.GpuReadOnly],
  ['gpu_read_mostly', SvmFlag.GpuReadMostly],
  ['gpu_always_mapped', SvmFlag.GpuAlwaysMapped],
  ['ext_coherent', SvmFlag.ExtCoherent],
];

/** Null for a name that is none. */
export function flagsOf(names: readonly string[]): number | null {
  let flags = 0;
  for (const name of names) {
    const found = flagNames.find(([known]) => known === name);
    if (found === undefined) return null;
    flags |= found[1];
  }
  return flags;
}

export function namesOfFlags(flags: number): string[] {
  return flagNames.filter(([, flag]) => (flags & flag) !== 0).map(([name]) => name);
}

export const accessByName: Readonly<Record<string, SvmAccess>> = {
  access: SvmAccess.Access,
  access_in_place: SvmAccess.InPlace,
  no_access: SvmAccess.None,
};

export function nameOfAccess(access: SvmAccess): string {
  return Object.entries(accessByName).find(([, value]) => value === access)?.[0] ?? 'no_access';
}

export const atomicsByName: Readonly<Record<string, AtomicMode>> = {
  undefined: AtomicMode.Undefined,
  device: AtomicMode.Device,
  global: AtomicMode.Global,
  cpu: AtomicMode.Cpu,
};

export const adviceByName: Readonly<Record<string, Advice>> = {
  set_read_mostly: Advice.SetReadMostly,
  unset_read_mostly: Advice.UnsetReadMostly,
  set_preferred_location: Advice.SetPreferredLocation,
  unset_preferred_location: Advice.UnsetPreferredLocation,
  set_accessed_by: Advice.SetAccessedBy,
  unset_accessed_by: Advice.UnsetAccessedBy,
};
