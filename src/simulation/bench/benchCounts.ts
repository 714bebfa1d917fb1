/** Reads what the program of a benchmark counted, and whether its run was a measurement at all. */

import type { WarmedUp } from '../../base/steadyState.js';
import type { RunReport } from '../runReport.js';

export type BenchCounts = Readonly<Record<string, number>>;

export function countsOf({ workloads }: RunReport): BenchCounts {
  return workloads[0]?.counts ?? {};
}

export function warmedUpOf({ warmups = 0, steady = 0 }: BenchCounts): WarmedUp {
  return { warmups, isSteady: steady === 1 };
}

/** Values named `<prefix><sample>Ns`, in order. */
export function samplesOf(counts: BenchCounts, prefix: string | RegExp): number[] {
  return valuesOf(counts, prefix, 'Ns');
}

/** Values named `<prefix><sample>Pages`, in order. */
export function pagesOf(counts: BenchCounts, prefix: string | RegExp): number[] {
  return valuesOf(counts, prefix, 'Pages');
}

function valuesOf(counts: BenchCounts, prefix: string | RegExp, suffix: string): number[] {
  const begins = (name: string): boolean =>
    typeof prefix === 'string' ? name.startsWith(prefix) : prefix.test(name);
  return Object.entries(counts)
    .filter(([name]) => begins(name) && name.endsWith(suffix))
    .map(([, value]) => value);
}

/** In words, what kept a run from being a measurement, of which there is at least one sample of that name; null for nothing. */
export function problemOf(report: RunReport, sample: string): string | null {
  if (report.failure !== null) return `${report.failure.actor}: ${report.failure.message}`;
  const failed = report.workloads.find(({ ok }) => !ok);
  if (failed !== undefined) return failed.detail;
  const broken = report.checks.find(({ ok }) => !ok);
  if (broken !== undefined) return `${broken.name}: ${broken.detail}`;
  return samplesOf(countsOf(report), sample).length > 0 ? null : 'it ended before its first sample';
}
