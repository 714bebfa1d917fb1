/** What a run is asked to do: one closed union of workloads, in pages and counts, as the scenario loader produces it. */

import type { WarmUp } from '../base/steadyState.js';
import type { Vpn } from '../base/units.js';
import type { Case } from '../case/caseSchema.js';
import type { AccessTrace } from './access/accessTrace.js';
import type { MmTrace } from './trace/mmTrace.js';

/** How addresses follow one another within a buffer. */
export const accessPatterns = ['sequential', 'strided', 'uniform', 'zipf'] as const;
export type AccessPattern = (typeof accessPatterns)[number];

/**
 * What an invalidation load does to its buffer: system calls, loads and stores of the CPU, emptying the memory of a device, or
 * asking for pages in some memory.
 */
export const invalidationCalls = [
  'munmap',
  'mprotect',
  'madvise',
  'mremap',
  'fork',
  'cpu-fault',
  'evict',
  'prefetch',
] as const;
export type InvalidationCall = (typeof invalidationCalls)[number];

/** Those that take part unless a scenario says which. */
export const DEFAULT_INVALIDATION_CALLS: readonly InvalidationCall[] = [
  'munmap',
  'mprotect',
  'madvise',
  'mremap',
];

/** Classes of load, of which `svmsim stress` tells how often each came and how long it took. */
export const loadClasses = [...invalidationCalls, 'join-leave', 'trace'] as const;
export type LoadClass = (typeof loadClasses)[number];

/** How often, and how closely it is looked at. */
export interface LoadPace {
  /** Operations per second of the executor's clock; free running unless told. */
  readonly ratePerSecond?: number;
}

/** y = a*x + y over all devices, each its share of the elements; verified against the plain computation. */
export interface SaxpyConfig {
  readonly kind: 'saxpy';
  readonly name: string;
  readonly elements: number;
  readonly rounds: number;
}

/** Five-point Jacobi relaxation, rows split over all devices; halo rows are read across devices. */
export interface JacobiConfig {
  readonly kind: 'jacobi';
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly iterations: number;
}

/** Histogram of random samples with device atomics on shared bins. */
export interface HistogramConfig {
  readonly kind: 'histogram';
  readonly name: string;
  readonly samples: number;
  readonly bins: number;
}

/** Loads and stores by a pattern, from every device and, if `cpu`, from the CPU thread that runs the workload. */
export interface PatternConfig {
  readonly kind: 'pattern';
  readonly name: string;
  readonly pattern: AccessPattern;
  readonly pages: number;
  readonly stridePages: number;
  /** Share of loads, 0 to 1. */
  readonly readRatio: number;
  /** `shared`: every actor over the whole buffer; `partitioned`: each over its own part. */
  readonly sharing: 'shared' | 'partitioned';
  /** Accesses per context and round. */
  readonly accesses: number;
  readonly rounds: number;
  readonly cpu: boolean;
}

/** Replays a recorded program's memory calls at their addresses, touching what it maps, while the devices access the same mappings. */
export interface TraceConfig extends LoadPace {
  readonly kind: 'trace';
  readonly name: string;
  readonly trace: MmTrace;
  /** Pages touched per mapping at most. */
  readonly touchPages: number;
  /** Device accesses per context for each hundred calls of the program. */
  readonly deviceAccesses: number;
  /** Replays, each from an empty address space on; 1 unless told, Infinity while a duration ends the run. */
  readonly rounds?: number;
}

/** Repeats recorded accesses of devices and the CPU at their addresses. */
export interface AccessesConfig {
  readonly kind: 'accesses';
  readonly name: string;
  readonly trace: AccessTrace;
  /** Accesses of all together between two points at which they wait for one another. */
  readonly window: number;
}

/** Accesses of a context of an invalidated buffer in one launch, unless the scenario says otherwise. */
export const LAUNCH_ACCESSES = 64;

/** A CPU thread that keeps unmapping, protecting, dropping and moving a buffer that the devices access. */
export interface InvalidateConfig extends LoadPace {
  readonly kind: 'invalidate';
  readonly name: string;
  readonly pages: number;
  readonly calls: readonly InvalidationCall[];
  /** Pages per call, at most. */
  readonly spanPages: number;
  /** Calls altogether; Infinity while a duration ends the run. */
  readonly operations: number;
  /** Pause between calls in microseconds of the executor's clock. */
  readonly pauseUs: number;
  /** Of each context in one launch; the devices are launched again and again until the last call. */
  readonly launchAccesses: number;
  /** After each call all that it worked on is loaded and compared. */
  readonly verifiesCalls?: boolean;
}

/** Takes devices out of the process's mirror and puts them back, while other workloads use them. */
export interface JoinLeaveConfig {
  readonly kind: 'join-leave';
  readonly name: string;
  /** Devices that never leave, from the first on. */
  readonly stay: number;
  /** Changes under way at the same time. */
  readonly atOnce: number;
  /** Changes altogether; Infinity while a duration ends the run. */
  readonly operations: number;
  /** Mean pause between two changes in microseconds of the executor's clock. */
  readonly pauseUs: number;
}

/** What happens at a moment of the executor's clock. */
export type PlannedEvent =
  | {
      readonly kind: 'prefetch';
      readonly atNs: number;
      /** What is mapped of these pages moves. */
      readonly start: Vpn;
      readonly npages: number;
      /** A device, or -1 for RAM. */
      readonly target: number;
    }
  | { readonly kind: 'unbind'; readonly atNs: number; readonly device: number };

/** Carries out what is planned, in order of time. */
export interface EventsConfig {
  readonly kind: 'events';
  readonly name: string;
  readonly events: readonly PlannedEvent[];
}

/** Whether work has to expect that its device is away for a while. */
export function devicesLeave(workloads: readonly WorkloadConfig[]): boolean {
  return workloads.some(({ kind }) => kind === 'join-leave');
}

/** From one memory to another: the index of a device, or -1 for RAM. The same device twice: its code copies within its memory. */
export interface MigrateFlow {
  readonly source: number;
  readonly destination: number;
}

/** Moves a region for each flow, all at the same time, again and again; made by the benchmark, not by scenario files. */
export interface MigrateBenchConfig {
  readonly kind: 'migrate-bench';
  readonly name: string;
  readonly flows: readonly MigrateFlow[];
  /** Of one plain copy that migration is compared with. */
  readonly sizeBytes: number;
  /** What one migration moves. */
  readonly rangePages: number;
  /** Ranges in flight at once for each flow. */
  readonly depth: number;
  /** What one sample moves for each flow: many migrations, so that starting and ending them does not count. */
  readonly regionPages: number;
  /** By moves to and fro: they build page tables and ranges, and let the compiler do its work. */
  readonly warmUp: WarmUp;
  readonly samples: number;
  /** On the executor's clock: after that long no further sample begins, but for the first three. Unless given, all are taken. */
  readonly samplesNs?: number;
  /** Times plain copies too; pointless where time is modelled. */
  readonly measuresCopy: boolean;
  /** Pages move because they are touched where they should be, one range after another, instead of by prefetches of many ranges. */
  readonly byFault?: boolean;
  /** Invalidates what moves while it moves, with pauses of so many nanoseconds of the executor's clock. */
  readonly stormNs?: number;
}

/** Contexts of one device touch a range each, again and again; made by the benchmark, not by scenario files. */
export interface FaultBenchConfig {
  readonly kind: 'fault-bench';
  readonly name: string;
  /** What a fault finds: a page in RAM that stays there, one that moves to the device, or nothing. */
  readonly pages: 'present' | 'migrate' | 'hole';
  readonly ranges: number;
  readonly rangePages: number;
  readonly samples: number;
  readonly warmUp: WarmUp;
}

/** All devices map a span, and calls take it away from them; made by the benchmark, not by scenario files. */
export interface InvalidateBenchConfig {
  readonly kind: 'invalidate-bench';
  readonly name: string;
  readonly event: 'protect' | 'unmap' | 'discard' | 'migrate';
  /** Of all callers' spans together. */
  readonly pages: number;
  /** Of one call. */
  readonly spanPages: number;
  /** Where the span of each call begins; all are made at once. */
  readonly callers: readonly number[];
  readonly samples: number;
  /** From the beginning of one round to that of the next, where it does not take longer; on the executor's clock. */
  readonly periodNs: number;
  /** On the executor's clock: after that long no further sample begins, but for the first three. */
  readonly samplesNs?: number;
  readonly warmUp: WarmUp;
}

/** Devices load from pages that they have mapped, or lose before each round; made by the benchmark, not by scenario files. */
export interface AccessBenchConfig {
  readonly kind: 'access-bench';
  readonly name: string;
  /** Of one part. */
  readonly pages: number;
  /** One for all devices, or one for each. */
  readonly parts: number;
  /** Of a round, of all contexts of a device together. */
  readonly loads: number;
  /** The mapping is taken away before each round. */
  readonly faults: boolean;
  readonly samples: number;
  readonly warmUp: WarmUp;
}

/** Calls to the Coordinator that do next to nothing there; made by the benchmark, not by scenario files. */
export interface EngineBenchConfig {
  readonly kind: 'engine-bench';
  readonly name: string;
  /** Of a round. */
  readonly calls: number;
  readonly atOnce: number;
  readonly samples: number;
  readonly warmUp: WarmUp;
}

/** All devices load from a buffer, lose it, and load again; made by the benchmark, not by scenario files. */
export interface MirrorBenchConfig {
  readonly kind: 'mirror-bench';
  readonly name: string;
  /** `shared`: every device all of it; `private`: each a part of its own. */
  readonly access: 'shared' | 'private';
  readonly pages: number;
  /** Invalidations of the whole buffer. */
  readonly rounds: number;
  /** By invalidations before those. */
  readonly warmUp: WarmUp;
}

/** Brings a buffer to device 0, for measurements of a modelled machine; made by these, not by scenario files. */
export interface MachineProbeConfig {
  readonly kind: 'machine-probe';
  readonly name: string;
  readonly by: 'prefetch' | 'fault';
  readonly pages: number;
  /** Of the ranges that faults touch one after another. */
  readonly rangePages: number;
  /** Ranges under way at the same time in a prefetch. */
  readonly atOnce: number;
  readonly hugePages: boolean;
}

/** Which driver the devices of a case have: the test device, whose commands work on whole spans, or the reference driver with its GPUs. */
export type CaseDriver = 'mirror' | 'reference';

/** One CPU thread of a case; made by the case runner, not by scenario files. */
export interface CaseConfig {
  readonly kind: 'case';
  readonly name: string;
  readonly program: Case;
  readonly driver: CaseDriver;
  /** Thread 0 carries the case out; the others take over branches that it hands them. */
  readonly thread: number;
  /** Of the whole case. */
  readonly threads: number;
}

/** A program in code, found by its name; made by those who use svmsim as a library, not by scenario files. */
export interface ProgramConfig {
  readonly kind: 'program';
  readonly name: string;
}

export type WorkloadConfig =
  | SaxpyConfig
  | JacobiConfig
  | HistogramConfig
  | PatternConfig
  | TraceConfig
  | AccessesConfig
  | InvalidateConfig
  | JoinLeaveConfig
  | EventsConfig
  | MigrateBenchConfig
  | MirrorBenchConfig
  | FaultBenchConfig
  | InvalidateBenchConfig
  | AccessBenchConfig
  | EngineBenchConfig
  | MachineProbeConfig
  | CaseConfig
  | ProgramConfig;
