/** A zone: one stretch of physical page frames that one kind of memory backs. */

import type { Pfn } from './pfn.js';

/** @kernel MEMORY_DEVICE_PRIVATE, MEMORY_DEVICE_COHERENT */
export const ZoneKind = {
  /** System RAM. */
  System: 0,
  /** VRAM that the CPU cannot address: a CPU access faults and moves the page to RAM. */
  DevicePrivate: 1,
  /** VRAM that the CPU reads and writes in place. */
  DeviceCoherent: 2,
} as const;

export type ZoneKind = (typeof ZoneKind)[keyof typeof ZoneKind];

/** Immutable once the layout is made. @kernel dev_pagemap */
export interface Zone {
  /** 0 for RAM, 1 + i for the VRAM of device i. */
  readonly id: number;
  /** `ram`, `vram0`, ...: how messages name it. */
  readonly name: string;
  readonly kind: ZoneKind;
  /** A multiple of 512, so that 2 MiB blocks are aligned. */
  readonly firstPfn: Pfn;
  readonly pages: number;
  /** -1 for RAM. */
  readonly deviceIndex: number;
}
