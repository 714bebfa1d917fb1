/** A GPU's state as plain data that can be sent between threads: counters for reports, tables for checkers. */

import type { CopyCounters } from './copyEngine.js';
import type { FaultCounters } from './faultBuffer.js';
import type { IommuFault, MmuCounters } from './gpuMmu.js';

/** Requests of the host that the GPU has carried out. */
export interface GpuRequestCounters {
  binds: number;
  boundPages: number;
  /** Binds that failed. */
  bindErrors: number;
  zaps: number;
  /** Entries that a zap found valid. */
  zappedPages: number;
  tlbInvalidations: number;
  /** TLB entries that an invalidation found. */
  tlbEntriesInvalidated: number;
  kernels: number;
}

export interface VramCounters {
  readonly allocations: number;
  readonly releases: number;
  readonly failures: number;
  readonly usedPages: number;
  readonly freePages: number;
}

/** The part of a snapshot that costs nothing to take, also while the device works. */
export interface GpuActivity {
  readonly copies: CopyCounters;
  readonly vram: VramCounters;
  /** Faults in the buffer and copies under way: both 0 when the GPU is quiescent. */
  readonly faultsInFlight: number;
  readonly copiesInFlight: number;
}

export interface GpuSnapshot extends GpuActivity {
  readonly device: number;
  readonly requests: GpuRequestCounters;
  readonly faults: FaultCounters;
  readonly mmu: MmuCounters;
  readonly tlbEvictions: number;
  readonly iommuFaults: readonly IommuFault[];
  /** Valid page-table entries, ascending; `ptes[i]` (a GpuPte) is that of `ptePages[i]`. */
  readonly ptePages: Float64Array;
  readonly ptes: Uint32Array;
  /** Valid TLB entries, in no particular order. */
  readonly tlbPages: Float64Array;
  readonly tlbPtes: Uint32Array;
  /** Stretches of allocated VRAM, three words each: allocation, first pfn, pages. */
  readonly vramRuns: Uint32Array;
}
