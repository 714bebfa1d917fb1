/** Where the pages of an access should be, by what the process has said: the placement policies of xe and KFD. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { FaultKind } from '../../memory/faultKind.js';
import type { GpuHandle } from '../gpuHandle.js';
import {
  migrateToFaulting,
  type PlacementPolicy,
  preferDevice,
  stayInRam,
  stayWhereTheyAre,
} from '../placement.js';
import { devicesIn, hasDevice } from './deviceMask.js';
import { isDevice, Location, type Place } from './location.js';
import type { ProcessAttributes } from './processAttributes.js';
import { type SvmAttributes, SvmFlag } from './svmAttributes.js';
import { AtomicMode, type MirrorAttributes } from './xeMadvise.js';

/** Whether two devices reach each other's memory. */
export type Linked = (a: number, b: number) => boolean;

/** Where the pages of an access should be, and whether it works nowhere else than in the device's own memory. */
export interface Placed {
  readonly policy: PlacementPolicy;
  /** @kernel devmem_only */
  readonly devmemOnly: boolean;
  /** Devices may load from the pages, and not store to them. @kernel KFD_IOCTL_SVM_FLAG_GPU_RO */
  readonly readOnly: boolean;
}

/**
 * `attributes` null: the process says nothing about its memory. Errors: -EACCES (atomics that only the CPU may do; a device without access),
 * -EPERM (a store to what devices may only load), -EFAULT (unregistered memory, where devices serve no faults).
 */
export function placementFor(
  attributes: ProcessAttributes | null,
  gpu: GpuHandle,
  page: Vpn,
  write: boolean,
  kind: FaultKind,
  linked: Linked,
  fallback: PlacementPolicy,
): Placed | Errno {
  const isAtomic = kind === FaultKind.Atomic;
  const said = attributes?.mirrors[gpu.index].find(page);
  const needsVram = isAtomic ? needVramForAtomic(gpu, said?.atomics ?? AtomicMode.Undefined) : false;
  if (typeof needsVram === 'number') return needsVram;
  if (needsVram) return { policy: preferDevice(gpu.index), devmemOnly: true, readOnly: false };
  const policy = policyAt(attributes, gpu, page, write || isAtomic, linked) ?? fallback;
  if (typeof policy === 'number') return policy;
  const readOnly = isReadOnly(attributes?.shared.get(page));
  return { policy: isAtomic ? whereAtomicsWork(policy) : policy, devmemOnly: false, readOnly };
}

/** Where nobody has a say but the program that has bound the memory itself. */
export function placementOfBound(fallback: PlacementPolicy): Placed {
  return { policy: fallback, devmemOnly: false, readOnly: false };
}

export function isReadOnly(shared: SvmAttributes | undefined): boolean {
  return shared !== undefined && (shared.flags & SvmFlag.GpuReadOnly) !== 0;
}

/** Null: nothing was said of the page. Errors: as {@link placementFor}. */
export function policyAt(
  attributes: ProcessAttributes | null,
  gpu: GpuHandle,
  page: Vpn,
  write: boolean,
  linked: Linked,
): PlacementPolicy | Errno | null {
  if (attributes === null) return null;
  const said = attributes.mirrors[gpu.index].find(page);
  if (said !== undefined) return placeByMirror(said);
  const shared = attributes.shared.get(page);
  if (!attributes.kfd.xnackEnabled) return shared === undefined ? Errno.EFAULT : placeRestored(shared, gpu);
  if (shared === undefined) return null;
  const policy = placeShared(shared, gpu, write, linked);
  return policy === Errno.EACCES ? refusal(attributes, page, write) : policy;
}

/** What the area forbids is told before what was said of it. @kernel svm_range_restore_pages, svm_fault_allowed */
function refusal({ mm }: ProcessAttributes, page: Vpn, write: boolean): Errno {
  const vma = mm.vmas.find(page);
  if (vma === null) return Errno.EFAULT;
  return write && !vma.isWritable ? Errno.EPERM : Errno.EACCES;
}

/** Whether an atomic works only in the device's own memory. -EACCES: only the CPU may do them. @kernel xe_vma_need_vram_for_atomic */
export function needVramForAtomic(gpu: GpuHandle, mode: AtomicMode): boolean | typeof Errno.EACCES {
  switch (mode) {
    case AtomicMode.Cpu:
      return Errno.EACCES;
    case AtomicMode.Device:
      return gpu.systemAtomics === 'none';
    case AtomicMode.Global:
    case AtomicMode.Undefined:
      return gpu.systemAtomics !== 'coherent';
  }
}

/** A device that does atomics in RAM does none in the memory of another device. */
function whereAtomicsWork(policy: PlacementPolicy): PlacementPolicy {
  return {
    ...policy,
    onlySystemPages: false,
    place: (question) => {
      const place = policy.place(question);
      return place === Location.Faulting || place === question.device ? place : Location.System;
    },
  };
}

/** @kernel xe_vma_resolve_pagemap */
function placeByMirror({ preferred }: MirrorAttributes): PlacementPolicy {
  if (preferred === Location.Faulting) return migrateToFaulting(false);
  return isDevice(preferred) ? preferDevice(preferred) : stayInRam;
}

/** Queues wait while the memory is mapped again, and nothing moves for that. @kernel svm_range_restore_work */
function placeRestored({ access, inPlace }: SvmAttributes, gpu: GpuHandle): PlacementPolicy | Errno {
  return hasDevice(access | inPlace, gpu.index) ? stayWhereTheyAre : Errno.EACCES;
}

/** A device that the memory prefers, or reaches where it prefers to be, needs no right to it. @kernel svm_range_best_restore_location */
function placeShared(
  shared: SvmAttributes,
  gpu: GpuHandle,
  store: boolean,
  linked: Linked,
): PlacementPolicy | Errno {
  const { preferred, flags, access, inPlace } = shared;
  if (store && isReadOnly(shared)) return Errno.EPERM;
  const reachesPreferred = isDevice(preferred) && linked(gpu.index, preferred);
  const isPlaced = preferred === Location.System || reachesPreferred;
  if (!isPlaced && !hasDevice(access | inPlace, gpu.index)) return Errno.EACCES;
  // Everybody who only reads shares the pages where they are.
  if (!store && (flags & SvmFlag.GpuReadMostly) !== 0) return stayWhereTheyAre;
  if (preferred === Location.System) return stayInRam;
  if (reachesPreferred) return preferDevice(preferred);
  return hasDevice(access, gpu.index) ? migrateToFaulting(false) : stayWhereTheyAre;
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
