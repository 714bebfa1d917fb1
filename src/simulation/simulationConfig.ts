/** Everything that one run is built from: plain data, in pages, counts and nanoseconds, checked by the scenario loader. */

import type { FabricConfig } from '../device/fabric/machineFabric.js';
import type { SystemAtomics } from '../device/gpuConfig.js';
import type { FaultPathCosts } from '../driver/fault/faultPath.js';
import type { PeerLinks } from '../driver/peerLinks.js';
import type { VramSpec } from '../memory/physicalLayout.js';
import type { TimeCost } from '../sim/timeCost.js';
import type { CaseDriver, WorkloadConfig } from '../workload/workloadConfig.js';

export { type PeerWiring, peerWirings } from '../device/fabric/machineFabric.js';
export type { TimeCost } from '../sim/timeCost.js';

export const executors = ['virtual', 'threads'] as const;
export type ExecutorName = (typeof executors)[number];

/**
 * `n1`: one gpusvm, one range and notifier per span, N pages objects. `n1-shared-fault`: the same, with one HMM fault per span for all devices.
 * `one-to-one`: a gpusvm per device.
 */
export const layouts = ['n1', 'n1-shared-fault', 'one-to-one'] as const;
export type LayoutName = (typeof layouts)[number];

/**
 * Where a faulting page goes: to the faulting device; there only from RAM, while pages in another device's memory are mapped from there;
 * nowhere (mapped in RAM); or to one preferred device.
 */
export const placements = ['migrate', 'migrate-system-pages', 'system', 'preferred'] as const;
export type PlacementName = (typeof placements)[number];

/** Which areas get huge pages of 2 MiB at their first touch. @kernel transparent_hugepage= */
export const thpModes = ['never', 'madvise', 'always'] as const;
export type ThpName = (typeof thpModes)[number];

/** What atomics of a device on pages in RAM do. */
export const systemAtomics = ['none', 'device', 'coherent'] as const satisfies readonly SystemAtomics[];

export interface DeviceConfig {
  readonly vramPages: number;
  /** Contexts per device that stall on a fault while others run. */
  readonly contexts: number;
  readonly tlbEntries: number;
  /** Faults delivered to the host at once, at most. */
  readonly faultBatch: number;
  readonly faultBufferEntries: number;
  readonly copyEngines: number;
  /** `none` unless told. */
  readonly systemAtomics?: SystemAtomics;
  /** New device memory is cleared before pages migrate to it; not unless told. */
  readonly clearVram?: boolean;
}

export interface SvmConfig {
  readonly layout: LayoutName;
  /** Range sizes in pages: descending powers of two, the last 1, the first at most 512. */
  readonly chunkPages: readonly number[];
  /** Window of one interval notifier, in pages; a power of two, at least the largest chunk. */
  readonly notifierPages: number;
  readonly placement: PlacementName;
  /** With placement `preferred`. */
  readonly preferredDevice: number;
  /**
   * `peer`: all devices reach one another's VRAM and form one owner group; `none`: each is alone, pages move through RAM; or the pairs that
   * reach one another.
   */
  readonly interconnect: PeerLinks;
  /** A page just migrated to a device stays there at least this long, in microseconds. */
  readonly timesliceUs: number;
  /** The same where an atomic needs it there, in nanoseconds; the driver's default unless told. */
  readonly atomicTimesliceNs?: number;
  /** Pages after the range of a fault that are brought to the device before it asks; 0 unless told. */
  readonly prefetchPages?: number;
  /** Smaller ranges stay in RAM; 1 unless told. */
  readonly migratePagesMin?: number;
  /** Ranges of a prefetch that lie side by side migrate together, up to so many pages; each by itself unless told. */
  readonly togetherPages?: number;
}

/**
 * What the modelled machine is made of and how long its steps take; every number names its source in the preset that sets it. Bandwidths and
 * wiring as `FabricConfig` says.
 */
export interface CostConfig extends FabricConfig {
  /** Its name. */
  readonly preset: string;
  /** From a fault to the delivery of its batch, and for each fault of the batch. */
  readonly gpuFaultNs: TimeCost;
  readonly gpuFaultEntryNs: number;
  /** The driver's own work on a fault, beside that which other numbers count, by how the fault ended. */
  readonly faultPathNs: FaultPathCosts;
  readonly gpuTlbInvalidateNs: TimeCost;
  /** One page-table update, and each entry of it. */
  readonly gpuBindNs: number;
  readonly gpuPteWriteNs: number;
  readonly kernelLaunchNs: TimeCost;
  /** Submission of one copy, until the engine begins. */
  readonly copySetupNs: TimeCost;
  readonly cpuFaultNs: TimeCost;
  readonly cpuAccessNs: number;
  readonly migratePageNs: number;
  readonly hmmPageNs: number;
  readonly cpuTlbShootdownNs: TimeCost;
  readonly syscallNs: TimeCost;
}

/** Of a module with code of the user's own. */
export interface PolicyIdentity {
  /** The first twelve hexadecimal digits of the SHA-256 of its text. */
  readonly hash: string;
  /** Of what it has, as far as that has names. */
  readonly names: readonly string[];
}

/** One run. */
export interface SimulationConfig {
  readonly name: string;
  readonly seed: number;
  readonly executor: ExecutorName;
  readonly ramPages: number;
  /** `madvise` unless told. */
  readonly thp?: ThpName;
  readonly deviceCount: number;
  readonly device: DeviceConfig;
  readonly svm: SvmConfig;
  readonly cost: CostConfig;
  /** Each runs on a CPU thread of its own. */
  readonly workloads: readonly WorkloadConfig[];
  /** Wall (threads) or simulated (virtual) milliseconds after which open-ended workloads stop; Infinity: when all work is done. */
  readonly durationMs: number;
  /** Which invariants are watched step by step, see `chooseCheckers`; none unless told. */
  readonly checks?: string;
  /** Absolute path of a module with code of the user's own, see `Extensions`: policies, drivers, programs. */
  readonly policyFile?: string;
  /** Which module that was: for results, which say what decided a run. */
  readonly policy?: PolicyIdentity;
  /** Every named step is recorded, for a trace of the run. */
  readonly trace?: boolean;
  /** Without it the machine of a scenario: sized for large runs, its devices served by the reference driver. */
  readonly machine?: MachineSpec;
}

/** A machine made for one small program, such as a case. */
export interface MachineSpec {
  /** `mirror`: the test devices, which need no actor: `deviceCount` is 0. */
  readonly driver: CaseDriver;
  /** One per device. */
  readonly memories: readonly VramSpec[];
  /** Page-table pages of the CPU, and of each GPU. */
  readonly tables: number;
  /** Lists of pages that requests to devices lend one another. */
  readonly pageArrays: number;
  /** Messages that one ring holds; a power of two. */
  readonly ringMessages: number;
  /** Data of one driver call, per CPU thread; a multiple of 8. */
  readonly payloadBytes: number;
  /** Pages of one chunk of a test device's memory. */
  readonly mirrorChunkPages: number;
  /** Huge pages that are set aside for hugetlb mappings. */
  readonly hugetlbPages: number;
}

/** Limits that a configuration is checked against. */
export const LIMITS = {
  devicesMax: 64,
  contextsMax: 1024,
  chunkPagesMax: 512,
  cpuThreadsMax: 64,
  /** 16 GiB of physical memory in all zones together: a pfn has 22 bits. */
  physicalPagesMax: 2 ** 22 - 1024,
} as const;
