/** Where the pages of an access should be, by what the process has said: the placement policies of xe and KFD. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { GpuHandle } from '../gpuHandle.js';
import {
  migrateToFaulting,
  type PlacementPolicy,
  preferDevice,
  stayWhereTheyAre,
  toSystem,
} from '../placement.js';
import { devicesIn, hasDevice } from './deviceMask.js';
import { isDevice, Location, type Place } from './location.js';
import type { ProcessAttributes } from './processAttributes.js';
import { type SvmAttributes, SvmFlag } from './svmAttributes.js';
import { AtomicMode, type MirrorAttributes } from './xeMadvise.js';

export type AccessKind = 'load' | 'store' | 'atomic';

/** Whether two devices reach each other's memory. */
export type Linked = (a: number, b: number) => boolean;

/**
 * Null: nothing was said of the page, so the machine's policy decides. Errors: -EACCES (atomics that only the CPU may do; a device without
 * access), -EPERM (a store to what devices may only load), -EFAULT (unregistered memory, where devices serve no faults).
 */
export function placementFor(
  attributes: ProcessAttributes,
  gpu: GpuHandle,
  page: Vpn,
  access: AccessKind,
  linked: Linked,
): PlacementPolicy | Errno | null {
  const said = attributes.mirrors[gpu.index].find(page);
  if (access === 'atomic') {
    const placed = placeForAtomic(gpu, said);
    if (placed !== null) return placed;
  }
  if (said !== undefined) return placeByMirror(said);
  const shared = attributes.shared.get(page);
  if (!attributes.kfd.xnackEnabled) return shared === undefined ? Errno.EFAULT : placeRestored(shared, gpu);
  return shared === undefined ? null : placeShared(shared, gpu, access, linked);
}

/** Devices do atomics in their own memory alone. @kernel xe_vma_need_vram_for_atomic */
function placeForAtomic(gpu: GpuHandle, said: MirrorAttributes | undefined): PlacementPolicy | Errno | null {
  if (said?.atomics === AtomicMode.Cpu) return Errno.EACCES;
  return preferDevice(gpu.index);
}

/** @kernel xe_vma_resolve_pagemap */
function placeByMirror({ preferred, onlySystemPages }: MirrorAttributes): PlacementPolicy {
  if (preferred === Location.Faulting) return migrateToFaulting(onlySystemPages);
  return isDevice(preferred) ? preferDevice(preferred, onlySystemPages) : stayWhereTheyAre;
}

/** Queues wait while the memory is mapped again, and nothing moves for that. @kernel svm_range_restore_work */
function placeRestored({ access, inPlace }: SvmAttributes, gpu: GpuHandle): PlacementPolicy | Errno {
  return hasDevice(access | inPlace, gpu.index) ? stayWhereTheyAre : Errno.EACCES;
}

/** @kernel svm_range_best_restore_location */
function placeShared(
  shared: SvmAttributes,
  gpu: GpuHandle,
  access: AccessKind,
  linked: Linked,
): PlacementPolicy | Errno {
  const { preferred, flags } = shared;
  const store = access !== 'load';
  if (store && (flags & SvmFlag.GpuReadOnly) !== 0) return Errno.EPERM;
  const isReader = !store && (flags & SvmFlag.GpuReadMostly) !== 0;
  if (!hasDevice(shared.access | shared.inPlace, gpu.index)) return Errno.EACCES;
  // Everybody who only reads shares the pages where they are.
  if (isReader) return stayWhereTheyAre;
  if (preferred === Location.System) return toSystem;
  if (isDevice(preferred) && linked(gpu.index, preferred)) return preferDevice(preferred);
  return hasDevice(shared.access, gpu.index) ? migrateToFaulting(false) : stayWhereTheyAre;
}

/**
 * Where a prefetch of a span goes: what was asked, unless another device that uses the span could not reach it there. `Location.Undefined`: it
 * goes nowhere. @kernel svm_range_best_prefetch_location
 */
export function prefetchPlace(shared: SvmAttributes, xnackEnabled: boolean, linked: Linked): Place {
  const { prefetched, access, inPlace } = shared;
  if (!isDevice(prefetched)) return prefetched;
  const users = xnackEnabled ? inPlace : access | inPlace;
  return devicesIn(users).every((device) => linked(device, prefetched)) ? prefetched : Location.System;
}
