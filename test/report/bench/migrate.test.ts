/** What the migration benchmark prints and writes. */

import { describe, expect, it } from 'vitest';
import { figuresOf } from '../../../src/report/bench/figure.js';
import { migrateReport } from '../../../src/report/bench/migrate.js';
import { migrateKey } from '../../../src/report/bench/migrateKey.js';
import { noColors } from '../../../src/report/colors.js';
import { blocksAsText } from '../../../src/report/reportBlock.js';
import type { MigrateCell } from '../../../src/simulation/bench/migrate.js';
import { type MigratePhase, migratePhases } from '../../../src/simulation/bench/phaseSplit.js';
import { migrateCell, migrateFlow, simulationConfig, text } from '../fixtures.js';

const textOf = (cells: readonly MigrateCell[]): string =>
  blocksAsText(migrateReport.blocks(cells, simulationConfig()), noColors);

/** A microsecond for each phase, but for those that are given. */
function split(times: Partial<Record<MigratePhase, number>>) {
  const phasesNs = Object.fromEntries(migratePhases.map((phase) => [phase, times[phase] ?? 1000]));
  const wholeNs = Object.values(phasesNs).reduce((sum, ns) => sum + ns, 0);
  return { migrations: 12, wholeNs, phasesNs: phasesNs as Record<MigratePhase, number> };
}

/** One sample. */
function timesOf(bytes: number, ms: number) {
  return { bytes: [bytes], times: [ms * 1e6], memcpyRatios: [], warmups: 1, isSteady: true };
}

describe('the report of bench migrate', () => {
  it('has a matrix for each test, size and clock, and a row for each test', () => {
    const flows = [migrateFlow(), migrateFlow({ destination: 'gpu1', simulated: null })];
    expect(textOf([migrateCell({ flows })])).toBe(
      text([
        'host_to_device.2MiB, source (row) to destination (column), GB/s (wall), median of 3',
        '      gpu0   gpu1',
        'ram  4.000  4.000',
        'SUM 8.000, of pairs measured one after another',
        '',
        'host_to_device.2MiB, source (row) to destination (column), GB/s (simulated)',
        '       gpu0',
        'ram  12.500',
        'SUM 12.500, of pairs measured one after another',
        '',
        'Test                 Status  Pairs  GB/s (wall)    ±  of memcpy (wall)  pages/s (wall)  migrations/s (wall)  warm-ups  GB/s (simulated)  pages/s (simulated)  migrations/s (simulated)',
        'host_to_device.2MiB  Passed      2        4.000  37%              0.72            977k                1.91k        30            12.500                3.05M                     5.96k',
      ]),
    );
  });

  it('has no columns of a clock that nobody asked for', () => {
    const modelled = textOf([migrateCell({ flows: [migrateFlow({ wall: null })] })]);
    expect(modelled).not.toContain('wall');
    expect(textOf([migrateCell({ flows: [migrateFlow({ simulated: null })] })])).not.toContain('simulated');
  });

  it('has N/A between a device and itself', () => {
    const pair = (source: string, destination: string) =>
      migrateFlow({ source, destination, path: 'peer', simulated: null });
    const flows = [pair('gpu0', 'gpu1'), pair('gpu1', 'gpu0')];
    const lines = textOf([migrateCell({ test: 'device_to_device_peer', flows })]).split('\n');
    expect(lines.slice(1, 4)).toEqual(['       gpu0   gpu1', 'gpu0    N/A  4.000', 'gpu1  4.000    N/A']);
  });

  it('says why a test was waived or failed, and takes no figures of it', () => {
    const lines = textOf([
      migrateCell({ status: 'Waived', reason: 'needs 2 devices', flows: [] }),
      migrateCell({ sizeBytes: 4096, rangeBytes: 4096, status: 'Error', reason: '-EFAULT' }),
    ]).split('\n');
    expect(lines).toContain('host_to_device.2MiB: Waived: needs 2 devices');
    expect(lines).toContain('host_to_device.4KiB: Error: -EFAULT');
    expect(lines.join()).not.toContain('SUM');
  });

  it('takes each comparison with plain copies once, however many pairs it was of', () => {
    const flows = [migrateFlow(), migrateFlow({ destination: 'gpu1', group: 0 })];
    const { samples } = migrateReport.measured(migrateCell({ test: 'host_to_all', flows }));
    expect(samples.memcpyRatio).toEqual([0.9, 0.72, 0.48]);
  });

  it('adds up samples that all pairs have, and counts a range that is larger than its buffer as one of that size', () => {
    const shorter = { bytes: [16e6, 16e6], times: [4e6, 4e6], memcpyRatios: [], warmups: 1, isSteady: true };
    const flows = [migrateFlow(), migrateFlow({ destination: 'gpu1', wall: shorter })];
    const { samples } = migrateReport.measured(migrateCell({ flows }));
    expect(samples.sum).toEqual([16e15 / 3e6 + 4e9, 8e9]);
    const perSecond = (sizeBytes: number, rangeBytes: number) =>
      migrateReport.measured(migrateCell({ sizeBytes, rangeBytes, flows: [migrateFlow({ wall: shorter })] }))
        .samples.migrations;
    expect(perSecond(16e6, 8e6)).toEqual([500, 500]);
    expect(perSecond(8e6, 16e6)).toEqual([500, 500]);
  });

  it('tells of pairs that move at once what arrived until the last has ended', () => {
    const simulated = (destination: string, ms: number) =>
      migrateFlow({ destination, wall: null, simulated: timesOf(12e6, ms) });
    // 24 MB in 3 ms; their rates add up to 16 GB/s.
    const cell = migrateCell({ test: 'host_to_all', flows: [simulated('gpu0', 1), simulated('gpu1', 3)] });
    expect(migrateReport.measured(cell).samples.simulatedSum).toEqual([8e9]);
    expect(textOf([cell])).toContain('\nSUM 8.000, all pairs at once, until the last has ended\n');
    expect(migrateReport.results(cell).map(({ simulated: result }) => result)).toEqual([
      expect.objectContaining({ bytesPerSecond: 12e9, groupBytesPerSecond: 8e9 }),
      expect.objectContaining({ bytesPerSecond: 4e9, groupBytesPerSecond: 8e9 }),
    ]);
  });

  it('has a line for each of several groups, which move one after another', () => {
    const pair = (source: string, destination: string, group: number, ms: number) =>
      migrateFlow({ source, destination, group, wall: null, simulated: timesOf(12e6, ms) });
    const flows = [
      pair('gpu0', 'gpu1', 0, 1),
      pair('gpu0', 'gpu2', 0, 3),
      pair('gpu1', 'gpu0', 1, 2),
      pair('gpu1', 'gpu2', 1, 6),
    ];
    const cell = migrateCell({ test: 'one_to_all', flows });
    expect(migrateReport.measured(cell).samples.simulatedSum).toEqual([8e9, 4e9]);
    const lines = textOf([cell]).split('\n');
    expect(lines.filter((line) => line.startsWith('SUM'))).toEqual([
      'SUM 8.000, from gpu0 at once, until the last has ended',
      'SUM 4.000, from gpu1 at once, until the last has ended',
      'SUM 6.000, the median of all groups',
    ]);
    const [figure] = figuresOf('migrate', [migrateReport.measured(cell)], migrateReport.metrics).filter(
      ({ name }) => name.endsWith('.simulatedSum'),
    );
    expect(figure.summary.median).toBe(6e9);
    const exchanged = [pair('gpu0', 'gpu1', 0, 1), pair('gpu1', 'gpu0', 0, 3), pair('gpu0', 'gpu2', 1, 6)];
    const both = textOf([migrateCell({ test: 'device_to_device_peer_bidirectional', flows: exchanged })]);
    expect(both).toContain('SUM 8.000, between gpu0 and gpu1 at once');
    expect(both).toContain('SUM 2.000, gpu0 to gpu2 at once');
    const gathered = [pair('gpu1', 'gpu0', 0, 1), pair('gpu2', 'gpu0', 0, 3), pair('gpu0', 'gpu1', 1, 6)];
    expect(textOf([migrateCell({ test: 'all_to_one', flows: gathered })])).toContain(
      'SUM 8.000, to gpu0 at once',
    );
  });

  it('has one and the same sum in its table and in its figures', () => {
    const wall = (times: number[]) => ({ ...timesOf(12e6, 1), bytes: times.map(() => 12e6), times });
    const flows = [
      migrateFlow({ wall: wall([1e6, 2e6, 6e6]), simulated: null }),
      migrateFlow({ destination: 'gpu1', group: 1, wall: wall([6e6, 1e6, 2e6]), simulated: null }),
    ];
    const cell = migrateCell({ flows });
    const [figure] = figuresOf('migrate', [migrateReport.measured(cell)], migrateReport.metrics).filter(
      ({ name }) => name.endsWith('.sum'),
    );
    expect(figure.summary.median).toBe(14e9);
    expect(textOf([cell])).toContain('\nSUM 14.000, of pairs measured one after another\n');
  });

  it('marks warm-up that had to end before times were steady', () => {
    const { wall } = migrateFlow();
    const flows = [migrateFlow({ wall: wall === null ? null : { ...wall, isSteady: false } })];
    expect(textOf([migrateCell({ flows })])).toMatch(/ 30, not steady /);
    const others = migrateFlow({ destination: 'gpu1' });
    expect(textOf([migrateCell({ flows: [...flows, others] })])).toMatch(/ 30, not steady /);
  });

  it('tells what was copied in vain, where anything was', () => {
    const totals = {
      wantedBytes: 2 ** 20,
      goodBytes: 2 ** 20,
      rawBytes: 3 * 2 ** 20,
      retries: 7,
      stayedBytes: 65_536,
      givenUpBytes: 4096,
      failed: 4,
      failedBytes: 2 ** 20,
      storms: 90,
    };
    const quiet = { ...totals, retries: 0, failed: 0, storms: 0 };
    const cells = [
      migrateCell({ storm: true, totals: { wall: totals, simulated: null } }),
      migrateCell({ totals: { wall: quiet, simulated: null } }),
    ];
    const lines = textOf(cells).split('\n');
    const at = lines.findIndex((line) => line.startsWith('All samples'));
    expect(lines[at + 1]).toMatch(
      /^host_to_device\.2MiB\.storm +wall +1MiB +3MiB +7 +64KiB +4KiB +4 +1MiB +90$/,
    );
    expect(lines[at + 2]).toBe('');
  });

  it('splits one migration into its phases, with the share of copying', () => {
    const phases = { wall: null, simulated: split({ copy: 8000, lockWait: 0 }) };
    const lines = textOf([migrateCell({ phases })]).split('\n');
    expect(lines.at(-2)).toMatch(
      /^host_to_device\.2MiB +15us +1us +1us +- +1us +1us +8us +1us +1us +1us +53%$/,
    );
  });
});

describe('migrateKey', () => {
  const usual = { storm: false, joined: false };
  const variant = { test: 'all_to_all', sizeBytes: 2 ** 21, rangeBytes: 2 ** 21, ...usual } as const;

  it.each([
    [{}, 'all_to_all.2MiB'],
    [{ sizeBytes: 2 ** 24 }, 'all_to_all.16MiB'],
    [{ sizeBytes: 4096, rangeBytes: 4096 }, 'all_to_all.4KiB'],
    [{ rangeBytes: 65_536 }, 'all_to_all.2MiB.64KiB-ranges'],
    [{ storm: true }, 'all_to_all.2MiB.storm'],
    [{ sizeBytes: 4096, rangeBytes: 4096, joined: true }, 'all_to_all.4KiB.joined'],
    [{ rangeBytes: 4096, storm: true, joined: true }, 'all_to_all.2MiB.4KiB-ranges.joined.storm'],
  ])('leaves out what is usual: %j', (changes, key) => {
    expect(migrateKey({ ...variant, ...changes })).toBe(key);
  });
});

describe('the figures of bench migrate', () => {
  it('are those of all pairs together, their sum, and rates', () => {
    const cell = migrateCell({ flows: [migrateFlow(), migrateFlow({ destination: 'gpu1' })] });
    const figures = figuresOf('migrate', [migrateReport.measured(cell)], migrateReport.metrics);
    const medians = Object.fromEntries(figures.map(({ name, summary }) => [name, summary.median]));
    expect(medians).toMatchObject({
      'migrate.host_to_device.2MiB.bandwidth': 4e9,
      'migrate.host_to_device.2MiB.sum': 8e9,
      'migrate.host_to_device.2MiB.memcpyRatio': 0.72,
      'migrate.host_to_device.2MiB.simulatedBandwidth': 12.5e9,
    });
    expect(medians['migrate.host_to_device.2MiB.pages']).toBeCloseTo(4e9 / 4096, 6);
    expect(medians['migrate.host_to_device.2MiB.migrations']).toBeCloseTo(4e9 / 2 ** 21, 6);
  });
});

describe('the check of bench migrate', () => {
  it('fails when a byte did not arrive or a test was not measured', () => {
    const { checks } = migrateReport;
    expect(checks([migrateCell()])).toEqual([
      { name: 'content', ok: true, detail: 'every byte arrived in 1 test' },
    ]);
    expect(checks([migrateCell({ verified: false })])[0].ok).toBe(false);
    expect(checks([migrateCell({ status: 'Error' })])[0].ok).toBe(false);
    expect(checks([migrateCell(), migrateCell({ status: 'Waived' })])[0]).toMatchObject({
      ok: true,
      detail: 'every byte arrived in 1 test, 1 waived',
    });
  });
});

describe('the words about what arrived', () => {
  it('do not say that every byte did when some stayed behind', () => {
    const simulated = {
      wantedBytes: 2 ** 20,
      goodBytes: 2 ** 20 - 65_536,
      rawBytes: 2 ** 20,
      retries: 64,
      stayedBytes: 2 ** 22,
      givenUpBytes: 65_536,
      failed: 0,
      failedBytes: 0,
      storms: 3,
    };
    const late = migrateCell({ storm: true, totals: { wall: null, simulated } });
    expect(migrateReport.checks([migrateCell(), late])).toEqual([
      {
        name: 'content',
        ok: true,
        detail:
          'no byte changed in 2 tests, but 64KiB stayed behind in 1 of them, first host_to_device.2MiB.storm',
      },
    ]);
    const complete = { ...simulated, goodBytes: simulated.wantedBytes };
    const other = migrateCell({ totals: { wall: simulated, simulated: complete } });
    expect(migrateReport.checks([other])[0].detail).toMatch(/ but 64KiB stayed behind in 1 of them/);
  });
});

describe('the results of bench migrate', () => {
  it('have the keys that scripts read, one for each pair', () => {
    const [result, ...others] = migrateReport.results(migrateCell());
    expect(others).toEqual([]);
    expect(result).toMatchObject({
      name: 'host_to_device.2MiB.ram-gpu0',
      test: 'host_to_device',
      source: 'ram',
      destination: 'gpu0',
      path: 'ram-to-vram',
      sizeBytes: 2 ** 21,
      wall: { bytesPerSecond: 4e9, medianNs: 4e6, minNs: 3e6, maxNs: 6e6, samples: 3, warmups: 30 },
      memcpyRatio: 0.72,
      simulated: { bytesPerSecond: 12.5e9 },
      verified: true,
      status: 'Passed',
    });
  });

  it('have no ratio of wall times where none were taken', () => {
    const [result] = migrateReport.results(migrateCell({ flows: [migrateFlow({ wall: null })] }));
    expect(result.wall).toBeNull();
    expect(result).not.toHaveProperty('memcpyRatio');
  });
});
