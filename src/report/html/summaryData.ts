/** What a report says of the JSON document of a run. */

import { copyColumns, eventColumns, knownSum, migrationColumns, type ShownCounter } from '../counterNames.js';
import { formatBytes, formatCount } from '../units.js';
import { failureTitle, verdictOf } from '../verdict.js';
import type { CauseCount, DeviceTable, Fact, LatencyData, SummaryData } from './reportData.js';
import type { DocumentLatency, RunDocument } from './runDocument.js';

const BYTES_PER_KIB = 1024;

const vramColumn: ShownCounter = { title: 'VRAM in use at the end', counters: ['vram_used_pages'] };
const PAGE_KIB = 4;

export function summaryData(document: RunDocument): SummaryData {
  const { outcome, checks, failure, time, steps } = document;
  const workloads = document.results;
  const { word, text } = verdictOf({ outcome, checks, workloads, failure });
  return {
    verdict: { word, text },
    outcome,
    wallNs: time.wallNs,
    simulatedNs: time.simulatedNs,
    steps,
    environment: Object.entries(document.environment).map(environmentFact),
    configuration: Object.entries(document.configuration).map(configurationFact),
    checks,
    workloads: workloads.map(({ workload, ...result }) => ({ name: workload, ...result })),
    failure: failureLines(document),
    devices: deviceTable(document),
    retries: retriesOf(document),
    latencies: latenciesOf(document),
  };
}

function environmentFact([name, value]: [string, unknown]): Fact {
  return isBytes(name) && typeof value === 'number' ? [name, formatBytes(value)] : [name, String(value)];
}

function configurationFact([name, value]: [string, unknown]): Fact {
  if (Array.isArray(value)) return [name, value.map((one) => configurationFact([name, one])[1]).join(', ')];
  if (typeof value === 'number') return [name, isBytes(name) ? formatBytes(value) : formatCount(value)];
  return [name, typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)];
}

function isBytes(name: string): boolean {
  return name.endsWith('Bytes');
}

function failureLines({ failure }: RunDocument): string[] {
  if (failure === null) return [];
  return [`${failureTitle(failure)}: ${failure.message}`, ...failure.lastSteps, ...failure.waits];
}

function deviceTable({ devices }: RunDocument): DeviceTable {
  const counts = [...eventColumns, ...migrationColumns];
  const columns = [
    ...counts.map((column) => ({ ...column, unit: 'count' as const, factor: 1 })),
    ...copyColumns.map((column) => ({ ...column, unit: 'bytes' as const, factor: BYTES_PER_KIB })),
    { ...vramColumn, unit: 'bytes' as const, factor: PAGE_KIB * BYTES_PER_KIB },
  ];
  return {
    columns: columns.map(({ title, unit }) => ({ title: named(title), unit })),
    rows: devices.map(({ device, counters }) => ({
      device: `gpu${device}`,
      values: columns.map((column) => {
        const amount = knownSum(counters, column.counters);
        return amount === null ? null : column.factor * amount;
      }),
    })),
  };
}

/** Titles that stand alone here and under a common one elsewhere. */
function named(title: string): string {
  const alone: Readonly<Record<string, string>> = {
    'to RAM': 'Migrated to RAM',
    evicted: 'Evicted',
    'TLB invals': 'TLB invalidations',
    'RAM to VRAM': 'Copied RAM to VRAM',
    'VRAM to RAM': 'Copied VRAM to RAM',
    Peer: 'Copied to and from peers',
  };
  return alone[title] ?? title;
}

function retriesOf({ retries }: RunDocument): CauseCount[] {
  return Object.entries(retries)
    .filter(([, count]) => count > 0)
    .map(([cause, count]) => {
      const dot = cause.indexOf('.');
      return { place: cause.slice(0, Math.max(0, dot)), errno: cause.slice(dot + 1), count };
    })
    .sort((a, b) => b.count - a.count);
}

function latenciesOf({ devices, invalidationLatency }: RunDocument): LatencyData[] {
  return [
    ...devices.map(({ device, faultLatency }) =>
      latencyOf(`GPU fault, served by the driver, gpu${device}`, faultLatency),
    ),
    latencyOf('invalidation that met a notifier', invalidationLatency),
  ].filter(({ count }) => count > 0);
}

function latencyOf(name: string, { count, wall, simulated }: DocumentLatency): LatencyData {
  const none = { meanNs: 0, p50Ns: 0, p90Ns: 0, p99Ns: 0, maxNs: 0 };
  return { name, count, ...(wall ?? simulated ?? none), buckets: null };
}
