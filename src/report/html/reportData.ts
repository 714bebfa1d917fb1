/** What a report is made of: plain data that the command line gathers and the page in the browser draws. */

import type { LaneHold, LaneMessage, LaneStep, PageChange } from '../../explore/replay/laneParts.js';

export type { LaneHold, LaneMessage, LaneStep, PageChange } from '../../explore/replay/laneParts.js';

export interface ReportData {
  /** Version that wrote the report. */
  readonly svmsim: string;
  readonly title: string;
  /** One, or two to compare: before and after. None where the report is of a failure. */
  readonly runs: readonly RunData[];
  readonly failure: FailureData | null;
}

/** A line of a table of two columns. */
export type Fact = readonly [name: string, value: string];

export interface RunData {
  /** Name of the file that it was read from. */
  readonly source: string;
  readonly scenario: string;
  readonly executor: string;
  readonly seed: number;
  /** Of all times below but those that say otherwise. */
  readonly clock: 'wall' | 'simulated';
  /** Null where the file does not say: a trace alone. */
  readonly summary: SummaryData | null;
  /** Null without a trace. */
  readonly trace: TraceData | null;
}

export interface SummaryData {
  readonly verdict: { readonly word: 'PASSED' | 'FAILED' | 'PARTIAL'; readonly text: string };
  readonly outcome: string;
  readonly wallNs: number;
  readonly simulatedNs: number;
  readonly steps: number;
  readonly environment: readonly Fact[];
  readonly configuration: readonly Fact[];
  readonly checks: readonly Judged[];
  readonly workloads: readonly Judged[];
  readonly failure: readonly string[];
  readonly devices: DeviceTable;
  readonly retries: readonly CauseCount[];
  readonly latencies: readonly LatencyData[];
}

/** A check, or what a workload gave. */
export interface Judged {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** There was nothing to look at, or nothing done. */
  readonly isEmpty?: true | undefined;
}

export interface DeviceTable {
  readonly columns: readonly { readonly title: string; readonly unit: 'count' | 'bytes' }[];
  /** Null for what is not known of a run that has failed. */
  readonly rows: readonly { readonly device: string; readonly values: readonly (number | null)[] }[];
}

export interface CauseCount {
  readonly place: string;
  readonly errno: string;
  readonly count: number;
}

/** Nanoseconds. */
export interface LatencyData {
  readonly name: string;
  readonly count: number;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
  /** Upper end and count of each bucket that holds something, ascending; null where only the summary is known. */
  readonly buckets: readonly (readonly [topNs: number, count: number])[] | null;
}

export interface TraceData {
  readonly events: number;
  readonly dropped: number;
  /** From the first event to the last. */
  readonly spanNs: number;
  readonly traffic: TrafficData;
  readonly residency: ResidencyData;
  readonly latencies: readonly LatencyData[];
  readonly phases: readonly PhaseSplit[];
  readonly causes: readonly MigrationCause[];
  readonly invalidations: readonly LatencyData[];
  /** Events per time bin. */
  readonly rates: TimeSeries;
  /** Memory in use, at the end of each bin. */
  readonly vram: TimeSeries;
  /** Bytes carried per bin. */
  readonly links: TimeSeries;
  readonly locks: WaitTable;
  readonly waits: WaitTable;
  readonly retries: readonly CauseCount[];
}

/** Bytes that copy engines moved from each place to each other one. */
export interface TrafficData {
  /** `RAM`, `gpu0`, ... */
  readonly places: readonly string[];
  /** By source, then by destination. */
  readonly bytes: readonly (readonly number[])[];
}

/** Where pages were when. */
export interface ResidencyData {
  /** By number of the owner: `nowhere`, `RAM`, `gpu0`, ... */
  readonly owners: readonly string[];
  /** Stretches of addresses in which something happened. */
  readonly bands: readonly ResidencyBand[];
  /** Five numbers each: time in ns, band, first page within it, pages, owner from then on. In order of time. */
  readonly changes: readonly number[];
  /** Times are rounded up to multiples of this, to keep the file small; 0 where they are exact. */
  readonly grainNs: number;
  /** Pages that did not fit into the report. */
  readonly pagesLeftOut: number;
}

export interface ResidencyBand {
  readonly process: number;
  /** Page number. */
  readonly start: number;
  readonly npages: number;
}

export interface PhaseSplit {
  readonly name: string;
  readonly count: number;
  readonly phases: readonly { readonly name: string; readonly ns: number }[];
}

export interface MigrationCause {
  readonly name: string;
  readonly cause: string;
  readonly count: number;
  readonly failed: number;
  readonly pages: number;
  readonly ns: number;
}

export interface TimeSeries {
  readonly binNs: number;
  readonly lines: readonly { readonly name: string; readonly values: readonly number[] }[];
}

export interface LockWait {
  readonly what: string;
  /** `read`, `write`, or empty for what is no lock. */
  readonly mode: string;
  readonly holder: string;
  readonly count: number;
  readonly totalNs: number;
  readonly maxNs: number;
}

export interface WaitTable {
  /** Longest first. */
  readonly rows: readonly LockWait[];
  /** Shorter ones: how many, and how much waiting they are together. */
  readonly leftOut: { readonly rows: number; readonly totalNs: number };
}

/** A failing run, step by step. */
export interface FailureData {
  readonly source: string;
  readonly name: string;
  readonly bug: string | null;
  readonly verdict: { readonly title: string; readonly details: readonly string[] };
  readonly facts: readonly Fact[];
  /** Columns of the picture. */
  readonly actors: readonly string[];
  readonly steps: readonly LaneStep[];
  readonly messages: readonly LaneMessage[];
  readonly holds: readonly LaneHold[];
  /** State of pages, in the order in which they change. */
  readonly pages: readonly PageChange[];
  /** What everybody has and wants at the end. */
  readonly standing: readonly string[];
  /** Steps that were left out at the front, so that the report stays readable. */
  readonly stepsLeftOut: number;
}
