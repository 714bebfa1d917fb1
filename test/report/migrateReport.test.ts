/** What the migration benchmark prints. */

import { describe, expect, it } from 'vitest';
import { noColors } from '../../src/report/colors.js';
import { migrateChecks, migrateReport, migrateVerdict } from '../../src/report/migrateReport.js';
import { migrateCell, text } from './fixtures.js';

const context = { colors: noColors, executor: 'threads', partial: false } as const;

function wall(bytesPerSecond: number) {
  return { bytesPerSecond, medianNs: 1e6, minNs: 1e6, maxNs: 1e6, samples: 5 };
}

const cells = [
  migrateCell({ sizeBytes: 4096, wall: wall(0.25e9), memcpyRatio: 0.1 }),
  migrateCell(),
  migrateCell({
    destination: 'gpu1',
    wall: wall(5e9),
    memcpyRatio: 0.8,
    phases: { collect: 60_000, copy: 0 },
  }),
  migrateCell({ path: 'vram-to-ram', source: 'gpu0', destination: 'ram', wall: wall(3e9) }),
  migrateCell({ path: 'peer', source: 'gpu0', destination: 'gpu1', wall: wall(6e9) }),
  migrateCell({ path: 'bounce', source: 'gpu0', destination: 'gpu1', wall: wall(2e9), simulated: null }),
];

describe('migrateReport', () => {
  it('prints a matrix for each size and way between devices, the ratio to memcpy and the phases', () => {
    expect(migrateReport(cells, context)).toBe(
      text([
        'migrate 4KiB direct, source (row) to destination (column), GB/s wall, median of 5',
        '      ram   gpu0',
        'ram   N/A  0.250',
        'gpu0  N/A    N/A',
        'SUM 0.250',
        '',
        'migrate 2MiB direct, source (row) to destination (column), GB/s wall, median of 5',
        '        ram   gpu0   gpu1',
        'ram     N/A  4.000  5.000',
        'gpu0  3.000    N/A  6.000',
        'gpu1    N/A    N/A    N/A',
        'SUM 18.000',
        '',
        'migrate 2MiB through RAM (bounce), source (row) to destination (column), GB/s wall, median of 5',
        '      gpu0   gpu1',
        'gpu0   N/A  2.000',
        'gpu1   N/A    N/A',
        'SUM 2.000',
        '',
        'Path         Size  Pairs  GB/s (wall)  lowest  highest  of memcpy (wall)  lowest  GB/s (simulated)',
        'ram-to-vram  4KiB      1        0.250   0.250    0.250              0.10    0.10            12.500',
        'ram-to-vram  2MiB      2        4.500   4.000    5.000              0.76    0.72            12.500',
        'vram-to-ram  2MiB      1        3.000   3.000    3.000              0.72    0.72            12.500',
        'peer         2MiB      1        6.000   6.000    6.000              0.72    0.72            12.500',
        'bounce       2MiB      1        2.000   2.000    2.000              0.72    0.72               N/A',
        '',
        'Mean time (wall)  Size  collect   copy',
        'ram-to-vram       4KiB     40us  160us',
        'ram-to-vram       2MiB     50us   80us',
        'vram-to-ram       2MiB     40us  160us',
        'peer              2MiB     40us  160us',
        'bounce            2MiB     40us  160us',
        '',
        'PASSED: every byte arrived in 6 migrations',
      ]),
    );
  });

  it('prints simulated matrices under the virtual executor', () => {
    const report = migrateReport([migrateCell()], { ...context, executor: 'virtual' });
    expect(report.split('\n').slice(0, 4)).toEqual([
      'migrate 2MiB direct, source (row) to destination (column), GB/s simulated',
      '      ram    gpu0',
      'ram   N/A  12.500',
      'gpu0  N/A     N/A',
    ]);
  });

  it('names failed cells and leaves them out of the figures', () => {
    const failed = [
      migrateCell(),
      migrateCell({ name: 'x', destination: 'gpu1', status: 'Error', verified: false }),
    ];
    const lines = migrateReport(failed, context).split('\n');
    expect(lines).toContain('ram   N/A  4.000  Error');
    expect(lines.find((line) => line.startsWith('ram-to-vram'))).toMatch(/^ram-to-vram {2}2MiB {6}1 /);
    expect(lines).toContain('Error x: bytes did not arrive');
    expect(lines.at(-2)).toBe('FAILED: 1 of 2 migrations failed, first x');
  });

  it('says when it was cut short, also before the first cell', () => {
    expect(migrateReport([migrateCell()], { ...context, partial: true })).toContain(
      'PARTIAL: interrupted; until then 1 check held',
    );
    expect(migrateReport([], { ...context, partial: true })).toBe(
      'PARTIAL: interrupted; until then nothing was checked\n',
    );
  });
});

describe('migrateVerdict', () => {
  it('fails when a byte did not arrive or a cell was not measured', () => {
    expect(migrateVerdict([migrateCell()], false).ok).toBe(true);
    expect(migrateVerdict([migrateCell({ verified: false })], false).ok).toBe(false);
    expect(migrateVerdict([migrateCell({ status: 'Error' })], true)).toMatchObject({
      ok: false,
      partial: true,
    });
  });

  it('is one check, of content', () => {
    expect(migrateChecks([migrateCell()])).toEqual([
      { name: 'content', ok: true, detail: 'every byte arrived in 1 migration' },
    ]);
  });
});
