/** What the migration benchmark prints. */

import { describe, expect, it } from 'vitest';
import { migrateReport } from '../../../src/report/bench/migrate.js';
import { noColors } from '../../../src/report/colors.js';
import { blocksAsText } from '../../../src/report/reportBlock.js';
import type { MigrateCell } from '../../../src/simulation/bench/migrate.js';
import { migrateCell, simulationConfig, text } from '../fixtures.js';

const textOf = (cells: readonly MigrateCell[]): string =>
  blocksAsText(migrateReport.blocks(cells, simulationConfig()), noColors);
const migrateChecks = migrateReport.checks;

/** Five samples of a millisecond each. */
function wall(bytesPerSecond: number, memcpyRatio = 0.72) {
  const times = [1, 1, 1, 1, 1].map(() => 1e6);
  return { bytes: bytesPerSecond / 1e3, times, copies: times.map((ns) => ns * memcpyRatio) };
}

const cells = [
  migrateCell({ sizeBytes: 4096, wall: wall(0.25e9, 0.1) }),
  migrateCell({ wall: wall(4e9) }),
  migrateCell({
    destination: 'gpu1',
    wall: wall(5e9, 0.8),
    phases: { collect: 60_000, copy: 0 },
  }),
  migrateCell({ path: 'vram-to-ram', source: 'gpu0', destination: 'ram', wall: wall(3e9) }),
  migrateCell({ path: 'peer', source: 'gpu0', destination: 'gpu1', wall: wall(6e9) }),
  migrateCell({ path: 'bounce', source: 'gpu0', destination: 'gpu1', wall: wall(2e9), simulated: null }),
];

describe('migrateReport', () => {
  it('prints a matrix for each size and way between devices, the ratio to memcpy and the phases', () => {
    expect(textOf(cells)).toBe(
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
      ]),
    );
  });

  it('prints simulated matrices where there is no wall time', () => {
    const report = textOf([migrateCell({ wall: null })]);
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
    const lines = textOf(failed).split('\n');
    expect(lines).toContain('ram   N/A  4.000  Error');
    expect(lines.find((line) => line.startsWith('ram-to-vram'))).toMatch(/^ram-to-vram {2}2MiB {6}1 /);
    expect(lines).toContain('Error x: bytes did not arrive');
    expect(migrateChecks(failed)[0].detail).toBe('1 of 2 migrations failed, first x');
  });
});

describe('the check of bench migrate', () => {
  it('fails when a byte did not arrive or a cell was not measured', () => {
    expect(migrateChecks([migrateCell()])[0].ok).toBe(true);
    expect(migrateChecks([migrateCell({ verified: false })])[0].ok).toBe(false);
    expect(migrateChecks([migrateCell({ status: 'Error' })])[0].ok).toBe(false);
  });

  it('is one check, of content', () => {
    expect(migrateChecks([migrateCell()])).toEqual([
      { name: 'content', ok: true, detail: 'every byte arrived in 1 migration' },
    ]);
  });
});

describe('the result of bench migrate', () => {
  it('has the keys that scripts read', () => {
    expect(migrateReport.result(migrateCell())).toEqual({
      name: 'ram-to-vram/ram-gpu0/2097152',
      source: 'ram',
      destination: 'gpu0',
      path: 'ram-to-vram',
      sizeBytes: 2 ** 21,
      wall: {
        bytesPerSecond: 4e9,
        medianNs: 4e6,
        minNs: 3e6,
        maxNs: 6e6,
        samples: 3,
        phasesNs: { collect: 40_000, copy: 160_000 },
      },
      memcpyRatio: 0.72,
      simulated: { bytesPerSecond: 12.5e9 },
      verified: true,
      status: 'Passed',
    });
  });

  it('has no ratio of wall times where none were taken', () => {
    const result = migrateReport.result(migrateCell({ wall: null }));
    expect(result.wall).toBeNull();
    expect(result).not.toHaveProperty('memcpyRatio');
  });
});
