/** The counters that tables and the status line show; all others are in the JSON document alone. */

import type { Counters } from '../observe/counters.js';

/** A column or a line: one counter, or several that together are what the title says. */
export interface ShownCounter {
  readonly title: string;
  readonly counters: readonly string[];
}

/** How often, per device. */
export const eventColumns: readonly ShownCounter[] = [
  { title: 'Faults', counters: ['svm_pagefault_count'] },
  { title: 'TLB invals', counters: ['tlb_inval_count'] },
];

/** Migrations by where the pages went and why, per device. */
export const migrationColumns: readonly ShownCounter[] = [
  { title: 'Migrated to VRAM', counters: ['svm_migrate_count'] },
  { title: 'to RAM', counters: ['svm_cpu_migrate_count', 'svm_hmm_migrate_count'] },
  { title: 'evicted', counters: ['svm_evict_count'] },
];

/** What the copy engine of each device moved, in KiB. */
export const copyColumns: readonly ShownCounter[] = [
  { title: 'RAM to VRAM', counters: ['svm_ram_to_device_copy_kb'] },
  { title: 'VRAM to RAM', counters: ['svm_cpu_copy_kb'] },
  { title: 'Peer', counters: ['svm_peer_copy_kb'] },
];

/** For the run as a whole. */
export const runLines: readonly ShownCounter[] = [
  { title: 'HMM walks', counters: ['hmm_range_fault_count'] },
  { title: 'Faults in HMM walks', counters: ['hmm_fault_count'] },
  { title: 'CPU faults', counters: ['cpu_fault_count'] },
];

const BYTES_PER_KB = 1024;
const allMigrations = migrationColumns.flatMap(({ counters }) => counters);

/** Work done since the start: what rates are made of. */
export interface WorkTotals {
  readonly faults: number;
  /** In all directions. */
  readonly migrations: number;
  /** Copied by migrations to devices, from RAM and from other devices: holes are not. */
  readonly toVramBytes: number;
}

export function workTotals(counters: Counters): WorkTotals {
  return {
    faults: counterSum(counters, ['svm_pagefault_count']),
    migrations: counterSum(counters, allMigrations),
    toVramBytes: BYTES_PER_KB * counterSum(counters, ['svm_device_copy_kb']),
  };
}

/** One that was never counted is 0. */
export function counterSum(counters: Counters, names: readonly string[]): number {
  return sumOf(names.map((name) => counters[name] ?? 0));
}

/** Null where one of them is not known: the devices themselves have some, and a run that fails may end before it has asked them. */
export function knownSum(counters: Counters, names: readonly string[]): number | null {
  return names.every((name) => counters[name] !== undefined) ? counterSum(counters, names) : null;
}

export function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
