/** The counters that tables show are counted by somebody. */

import { describe, expect, it } from 'vitest';
import { counterTable } from '../../src/observe/counters.js';
import {
  copyColumns,
  eventColumns,
  migrationColumns,
  runLines,
  workTotals,
} from '../../src/report/counterNames.js';

describe('counterNames', () => {
  it('shows per device only what is counted per device', () => {
    const known = counterTable.filter(({ perDevice }) => perDevice).map(({ name }) => name);
    const shown = [...eventColumns, ...migrationColumns, ...copyColumns].flatMap(({ counters }) => counters);
    expect(known).toEqual(expect.arrayContaining(shown));
    expect(known).toContain('svm_device_copy_kb');
  });

  it('shows for the run only what is counted', () => {
    const known = counterTable.map(({ name }) => name);
    expect(known).toEqual(expect.arrayContaining(runLines.flatMap(({ counters }) => counters)));
  });

  it('copies are counted in KiB', () => {
    const units = counterTable
      .filter(({ name }) => copyColumns.some(({ counters }) => counters.includes(name)))
      .map(({ unit }) => unit);
    expect(units).toEqual(['kb', 'kb', 'kb']);
  });

  it('adds up migrations of all directions', () => {
    const counters = {
      svm_pagefault_count: 5,
      svm_migrate_count: 3,
      svm_cpu_migrate_count: 2,
      svm_evict_count: 1,
    };
    expect(workTotals({ ...counters, svm_device_copy_kb: 4, svm_migrate_bytes: 1 << 20 })).toEqual({
      faults: 5,
      migrations: 6,
      toVramBytes: 4096,
    });
    expect(workTotals({})).toEqual({ faults: 0, migrations: 0, toVramBytes: 0 });
  });
});
