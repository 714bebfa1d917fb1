/**
 * The one JSON document that a command writes. What wall time touches stands under keys that start with `wall` or under `environment`, so that
 * all else is the same for the same seed under the virtual executor.
 */

import type { CheckResult, Counters, Latency, LoadReport, RunReport } from '../simulation/runReport.js';
import type { ExecutorName, SimulationConfig } from '../simulation/simulationConfig.js';
import { clockOf } from './clock.js';
import { configurationOf } from './configuration.js';
import { sweepVerdict } from './sweepTable.js';
import { perSecond } from './units.js';
import { verdictOf } from './verdict.js';

/** The machine and the program. */
export interface Environment {
  readonly svmsim: string;
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Most memory that the process had at any time. */
  readonly peakMemoryBytes: number;
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** What every document starts with, and what ends each result. */
export interface JsonDocument {
  readonly svmsim: string;
  readonly command: string;
  readonly scenario: string | null;
  readonly executor: ExecutorName | null;
  /** Null where there are several. */
  readonly seed: number | null;
  readonly ok: boolean;
  /** Ended by the user before its time. */
  readonly partial: boolean;
  readonly environment: Environment;
  readonly checks: readonly CheckResult[];
  readonly counters: Counters;
  readonly results: readonly JsonObject[];
  readonly time: { readonly wallNs: number; readonly simulatedNs: number };
  /** What only one command has. */
  readonly [key: string]: unknown;
}

/** What a document says beside its results. */
export interface DocumentContext {
  readonly command: string;
  readonly config: SimulationConfig;
  readonly environment: Environment;
}

/** One line at the end; two spaces of indentation, so that two documents can be compared line by line. */
export function jsonText(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Of `run` and `stress`: a result for each workload. */
export function runDocument(
  report: RunReport,
  { command, config, environment }: DocumentContext,
): JsonDocument {
  const { ok, partial } = verdictOf(report);
  return {
    svmsim: environment.svmsim,
    command,
    scenario: report.scenario,
    executor: report.executor,
    seed: report.seed,
    ok,
    partial,
    outcome: report.outcome,
    environment,
    configuration: configurationOf(config),
    checks: report.checks,
    ...countersOf(report.counters, report.executor),
    retries: sorted(report.retries),
    invalidationLatency: latencyOf(report.invalidationLatency, report.executor),
    devices: report.devices.map(({ device, counters, faultLatency }) => ({
      device,
      ...countersOf(counters, report.executor),
      faultLatency: latencyOf(faultLatency, report.executor),
    })),
    ...(report.loads.length === 0 ? {} : { loads: loadsOf(report) }),
    results: report.workloads.map(({ workload, ok, detail, counts, isEmpty }) => ({
      workload,
      ok,
      detail,
      counts: { ...counts },
      ...(isEmpty === true ? { isEmpty } : {}),
    })),
    failure: report.failure,
    verifications: report.verifications,
    steps: report.steps,
    time: { wallNs: report.wallNs, simulatedNs: report.simulatedNs },
  };
}

/** Of a sweep: a result for each seed, with its counters. */
export function sweepDocument(
  reports: readonly RunReport[],
  seeds: { readonly first: number; readonly last: number },
  wallNs: number,
  { command, config, environment }: DocumentContext,
): JsonDocument {
  const { ok, partial, text } = sweepVerdict(reports, seeds.last - seeds.first + 1);
  return {
    svmsim: environment.svmsim,
    command,
    scenario: config.name,
    executor: 'virtual',
    seed: null,
    ok,
    partial,
    seeds: { ...seeds },
    environment,
    configuration: configurationOf(config),
    checks: [{ name: 'seeds', ok, detail: text }],
    counters: sorted(sumOfRuns(reports)),
    results: reports.map((report) => ({
      seed: report.seed,
      ok: verdictOf(report).ok,
      outcome: report.outcome,
      checks: report.checks.map(({ name, ok, detail, isEmpty }) => ({
        name,
        ok,
        detail,
        ...(isEmpty === true ? { isEmpty } : {}),
      })),
      counters: sorted(report.counters),
      steps: report.steps,
      time: { wallNs: report.wallNs, simulatedNs: report.simulatedNs },
    })),
    time: { wallNs, simulatedNs: reports.reduce((sum, { simulatedNs }) => sum + simulatedNs, 0) },
  };
}

/** Instead of a result, for whoever reads standard output alone. */
export function errorDocument(command: string, message: string, environment: Environment): object {
  return { svmsim: environment.svmsim, command, ok: false, error: { message }, environment };
}

/** Counters of time are wall time where the executor's clock is. */
function countersOf(
  counters: Counters,
  executor: ExecutorName,
): { counters: Counters; wallCounters?: Counters } {
  if (clockOf(executor) === 'simulated') return { counters: sorted(counters) };
  const isTime = (name: string): boolean => name.endsWith('_us') || name.endsWith('_ns');
  const entries = Object.entries(counters);
  const times = entries.filter(([name]) => isTime(name));
  const counts = sorted(Object.fromEntries(entries.filter(([name]) => !isTime(name))));
  return times.length === 0
    ? { counters: counts }
    : { counters: counts, wallCounters: sorted(Object.fromEntries(times)) };
}

/** By class: how many operations, how many a second, and how long they took. */
function loadsOf(report: RunReport): object[] {
  const clock = clockOf(report.executor);
  return report.loads.map(({ load, operations, wanted, ...times }) => ({
    load,
    operations,
    ...wantedOf(wanted),
    [clock]: { perSecond: perSecond(operations, report.programsNs), ...times },
  }));
}

function wantedOf(wanted: LoadReport['wanted']): object {
  if (wanted === null) return {};
  return wanted.isLeast
    ? { wantedAtLeastPerSecond: wanted.perSecond }
    : { wantedPerSecond: wanted.perSecond };
}

function latencyOf(latency: Latency, executor: ExecutorName): object {
  const { count, ...times } = latency;
  return { count, [clockOf(executor)]: times };
}

/** Whatever the order in which things were first counted. */
function sorted(counters: Counters): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sumOfRuns(reports: readonly RunReport[]): Counters {
  const sums: Record<string, number> = {};
  for (const { counters } of reports) {
    for (const [name, count] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
