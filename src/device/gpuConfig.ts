/** What one GPU is made of: sizes, limits, links and modelled costs; plain data that can be sent to its worker. */

import type { TimeCost } from '../sim/timeCost.js';
import type { DeviceLinks } from './interconnect.js';

/** Modelled costs in nanoseconds. */
export interface GpuCosts {
  /** From a fault to the delivery of its batch. */
  readonly faultBatchNs: TimeCost;
  /** More for each fault of a batch. */
  readonly faultEntryNs?: number;
  /** Writing one page-table entry. */
  readonly bindPageNs: number;
  /** One page-table update, however large. */
  readonly bindNs: number;
  readonly tlbInvalidateNs: TimeCost;
  /** Submitting one copy. */
  readonly copySetupNs: TimeCost;
  readonly kernelLaunchNs: TimeCost;
}

/**
 * What a device can do atomically in RAM: nothing; so that its own units see it, and nobody else (`device`); so that the CPU and other devices
 * do too (`coherent`). @kernel has_device_atomics_on_smem
 */
export type SystemAtomics = 'none' | 'device' | 'coherent';

export interface GpuConfig {
  /** Which of the layout's devices this is. */
  readonly index: number;
  /** Must be what the physical layout has for the device. */
  readonly vramPages: number;
  /** Powers of two. */
  readonly tlbEntries: number;
  readonly tlbWays: number;
  /** Contexts per kernel launch. */
  readonly contexts: number;
  readonly faultBatchMax: number;
  readonly faultBufferEntries: number;
  /** Faults that the host works on at the same time. */
  readonly faultOutstandingMax: number;
  readonly copyEngines: number;
  /** `none` unless told. */
  readonly systemAtomics?: SystemAtomics;
  readonly links: DeviceLinks;
  readonly costs: GpuCosts;
}

/** What a user need not say; `index`, `vramPages` and `links` have no default. */
export const GPU_DEFAULTS = {
  tlbEntries: 1024,
  tlbWays: 4,
  contexts: 16,
  faultBatchMax: 16,
  faultBufferEntries: 64,
  faultOutstandingMax: 16,
  copyEngines: 2,
} as const;

/** No modelled cost: for runs in which only the order of steps matters. */
export const NO_GPU_COSTS: GpuCosts = {
  faultBatchNs: 0,
  bindPageNs: 0,
  bindNs: 0,
  tlbInvalidateNs: 0,
  copySetupNs: 0,
  kernelLaunchNs: 0,
};
