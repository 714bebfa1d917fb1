/** The table at the end of a run. */

import { describe, expect, it } from 'vitest';
import { colorsFor, noColors } from '../../src/report/colors.js';
import { summaryTable } from '../../src/report/summaryTable.js';
import { deviceReport, NO_LATENCY, runReport, text } from './fixtures.js';

const context = { colors: noColors, layout: 'n1', again: 'svmsim run x.yaml --seed 7' } as const;

describe('summaryTable', () => {
  it('tells of a run under threads in wall time', () => {
    expect(summaryTable(runReport(), context)).toBe(
      text([
        'n1-mirror: 2 devices, layout n1, executor threads, seed 7',
        '',
        'Device  Faults  TLB invals  Migrated to VRAM  to RAM  evicted  Fault p50 (wall)  p99 (wall)',
        'gpu0     1,200          30               310      25        3             123us      1.23ms',
        'gpu1        34          30               310      25        3             123us      1.23ms',
        'all      1,234          60               620      50        6',
        '',
        'Copied  RAM to VRAM  VRAM to RAM  Peer',
        'gpu0           8MiB       1.5MiB    0B',
        'gpu1           8MiB       1.5MiB    0B',
        'all           16MiB         3MiB    0B',
        '',
        'HMM walks             345',
        'Faults in HMM walks   98',
        'CPU faults            4,567',
        'Invalidations         812: p50 12.3us, p99 120us, max 1.5ms (wall)',
        'Retries               fault.EAGAIN 12, migrate.EBUSY 3',
        'Rates                 617 faults/s, 338 migrations/s, 12.3MB/s to VRAM (wall)',
        '',
        'Workload  Result  Detail',
        'jacobi    ok      262144 cells equal the plain computation (iterations 10)',
        'sort      ok      replayed',
        '',
        'Verified              at 3 quiescent points',
        'Checks held           content, M2',
        '',
        'Time                  2.5s wall; 1,234,567 steps',
        'PASSED: 2 checks held, 2 workloads verified',
      ]),
    );
  });

  it.each([
    [{ mmu_invalidate_count: 812 }, 812, '812: p50 12.3us, p99 120us, max 1.5ms (wall)'],
    [
      { mmu_invalidate_count: 900 },
      812,
      '900, 812 of which met a notifier: p50 12.3us, p99 120us, max 1.5ms (wall)',
    ],
    [{ mmu_invalidate_count: 2 }, 0, '2, none of which met a notifier'],
    [{}, 0, 'none'],
  ])('tells latencies of invalidations that met a notifier, %j and %i', (counters, count, text) => {
    const { invalidationLatency } = runReport();
    const report = runReport({ counters, invalidationLatency: { ...invalidationLatency, count } });
    expect(summaryTable(report, context).split('\n')).toContain(`Invalidations         ${text}`);
  });

  it('marks rules that looked at nothing and workloads that did nothing', () => {
    const { checks, workloads } = runReport();
    const report = runReport({
      checks: [...checks, { name: 'hugetlb', ok: true, detail: '0 huge pages', isEmpty: true }],
      workloads: [{ ...workloads[0], isEmpty: true }, workloads[1]],
    });
    const lines = summaryTable(report, context).split('\n');
    expect(lines).toContain('Checks held           content, M2');
    expect(lines).toContain('Nothing to look at    hugetlb');
    expect(lines.find((line) => line.startsWith('jacobi'))).toMatch(/^jacobi {4}nothing /);
  });

  it('tells of a run under virtual in simulated time', () => {
    const report = runReport({
      executor: 'virtual',
      programsNs: 5e6,
      simulatedNs: 5e6,
      devices: [deviceReport(0)],
    });
    expect(summaryTable(report, context)).toBe(
      text([
        'n1-mirror: 1 device, layout n1, executor virtual, seed 7',
        '',
        'Device  Faults  TLB invals  Migrated to VRAM  to RAM  evicted  Fault p50 (simulated)  p99 (simulated)',
        'gpu0     1,200          30               310      25        3                  123us           1.23ms',
        '',
        'Copied  RAM to VRAM  VRAM to RAM  Peer',
        'gpu0           8MiB       1.5MiB    0B',
        '',
        'HMM walks             345',
        'Faults in HMM walks   98',
        'CPU faults            4,567',
        'Invalidations         812: p50 12.3us, p99 120us, max 1.5ms (simulated)',
        'Retries               fault.EAGAIN 12, migrate.EBUSY 3',
        'Rates                 247k faults/s, 135k migrations/s, 4.92GB/s to VRAM (simulated)',
        '',
        'Workload  Result  Detail',
        'jacobi    ok      262144 cells equal the plain computation (iterations 10)',
        'sort      ok      replayed',
        '',
        'Verified              at 3 quiescent points',
        'Checks held           content, M2',
        '',
        'Time                  2.5s wall, 5ms simulated; 1,234,567 steps',
        'PASSED: 2 checks held, 2 workloads verified',
      ]),
    );
  });

  it('has the rates that were asked for beside those that were reached', () => {
    const times = { meanNs: 1500, p50Ns: 1000, p90Ns: 2000, p99Ns: 3000, p999Ns: 4000, maxNs: 5000 };
    const loads = [
      { load: 'munmap', operations: 20, wanted: { perSecond: 50, isLeast: false }, ...times },
      { load: 'madvise', operations: 9, wanted: { perSecond: 5, isLeast: true }, ...times },
      { load: 'trace', operations: 1, wanted: null, ...times },
    ] as const;
    const lines = summaryTable(runReport({ loads }), context).split('\n');
    const at = lines.findIndex((line) => line.startsWith('Load '));
    expect(lines.slice(at, at + 4).map((line) => line.split(/ {2,}/).slice(1, 4))).toEqual([
      ['Operations', 'Rate (wall)', 'asked for'],
      ['20', '10/s', '50/s'],
      ['9', '4.5/s', '≥ 5/s'],
      ['1', '0.5/s', '-'],
    ]);
  });

  it('says that what devices were not asked for any more is not known', () => {
    const { svm_cpu_copy_kb: _, ...known } = deviceReport(1).counters;
    const devices = [deviceReport(0), { ...deviceReport(1), counters: known }];
    const lines = summaryTable(runReport({ devices }), context).split('\n');
    const at = lines.findIndex((line) => line.startsWith('Copied '));
    expect(lines.slice(at, at + 4).map((line) => line.split(/ {2,}/))).toEqual([
      ['Copied', 'RAM to VRAM', 'VRAM to RAM', 'Peer'],
      ['gpu0', '8MiB', '1.5MiB', '0B'],
      ['gpu1', '8MiB', 'N/A', '0B'],
      ['all', '16MiB', 'N/A', '0B'],
    ]);
  });

  it('tells no percentile of operations that are too few for it', () => {
    const times = { meanNs: 1500, p50Ns: 1000, p90Ns: 2000, p99Ns: 3000, p999Ns: 4000, maxNs: 5000 };
    const loads = [{ p90Ns: null, p99Ns: null, p999Ns: null }, { p99Ns: null, p999Ns: null }, {}].map(
      (untold) => ({ load: 'evict' as const, operations: 1, wanted: null, ...times, ...untold }),
    );
    const lines = summaryTable(runReport({ loads }), context).split('\n');
    const rows = lines.filter((line) => line.startsWith('evict')).map((line) => line.split(/ +/).slice(3));
    expect(rows).toEqual([
      ['1us', 'N/A', 'N/A', 'N/A', '5us'],
      ['1us', '2us', 'N/A', 'N/A', '5us'],
      ['1us', '2us', '3us', '4us', '5us'],
    ]);
  });

  it.each([
    [99, '123us', 'N/A'],
    [100, '123us', '1.23ms'],
  ])('has of %i faults and invalidations no 99th percentile that is the largest', (count, p50, p99) => {
    const { faultLatency, ...device } = deviceReport(0);
    const devices = [{ ...device, faultLatency: { ...faultLatency, count } }];
    const invalidationLatency = { ...faultLatency, count };
    const lines = summaryTable(runReport({ devices, invalidationLatency }), context).split('\n');
    const row = lines.find((line) => line.startsWith('gpu0')) ?? '';
    expect(row.split(/ {2,}/).slice(-2)).toEqual([p50, p99]);
    expect(lines.find((line) => line.startsWith('Invalidations'))).toContain(
      `${count}: p50 ${p50}, p99 ${p99}, max 2ms (wall)`,
    );
  });

  it('shows what was violated, what failed, and how to run it again', () => {
    const report = runReport({
      outcome: 'failed',
      checks: [
        { name: 'content', ok: false, detail: 'page 0x7f0000001000 holds 3 instead of 4' },
        { name: 'M2', ok: true, detail: '' },
      ],
      workloads: [{ workload: 'saxpy', ok: false, detail: '3 elements differ', counts: {} }],
      failure: {
        actor: 'gpu1',
        isVerdict: true,
        message: 'a folio is still locked',
        lastSteps: ['migrate.copy pfn 12', 'migrate.finalize'],
        waits: ['gpu0 waits for gpusvm.notifier_lock of coordinator'],
      },
    });
    const lines = summaryTable(report, context).split('\n');
    expect(lines.slice(lines.indexOf('Workload  Result  Detail'), -1)).toEqual([
      'Workload  Result  Detail',
      'saxpy     WRONG   3 elements differ',
      '',
      'Verified              at 3 quiescent points',
      'Checks held           M2',
      'Violated              content: page 0x7f0000001000 holds 3 instead of 4',
      '',
      'gpu1 failed: a folio is still locked',
      'Last steps:',
      '  migrate.copy pfn 12',
      '  migrate.finalize',
      'Who waits for whom:',
      '  gpu0 waits for gpusvm.notifier_lock of coordinator',
      '',
      'Time                  2.5s wall; 1,234,567 steps',
      'FAILED: violated: content; wrong result: saxpy; gpu1 failed',
      'Again: svmsim run x.yaml --seed 7',
    ]);
  });

  it('shows a long list of waits in part', () => {
    const waits = Array.from({ length: 42 }, (_, i) => `gpu${i} waits`);
    const failure = {
      actor: 'all',
      isVerdict: true,
      message: 'no actor has taken a step',
      lastSteps: [],
      waits,
    };
    const lines = summaryTable(runReport({ outcome: 'failed', failure }), context).split('\n');
    const first = lines.indexOf('the run is stuck: no actor has taken a step');
    expect(lines.slice(first + 1, first + 3)).toEqual(['Who waits for whom:', '  gpu0 waits']);
    expect(lines.slice(first + 41, first + 44)).toEqual([
      '  gpu39 waits',
      '  and 2 more lines; all are in the JSON document',
      '',
    ]);
  });

  it('says none and - for what did not happen', () => {
    const none = Object.keys(deviceReport(0).counters).map((name) => [name, 0] as const);
    const report = runReport({
      devices: [{ device: 0, counters: Object.fromEntries(none), faultLatency: NO_LATENCY }],
      invalidationLatency: NO_LATENCY,
      retries: {},
      workloads: [],
      checks: [],
      verifications: 0,
    });
    expect(summaryTable(report, context)).toBe(
      text([
        'n1-mirror: 1 device, layout n1, executor threads, seed 7',
        '',
        'Device  Faults  TLB invals  Migrated to VRAM  to RAM  evicted  Fault p50 (wall)  p99 (wall)',
        'gpu0         0           0                 0       0        0                 -           -',
        '',
        'Copied  RAM to VRAM  VRAM to RAM  Peer',
        'gpu0             0B           0B    0B',
        '',
        'HMM walks             345',
        'Faults in HMM walks   98',
        'CPU faults            4,567',
        'Invalidations         none',
        'Retries               none',
        'Rates                 617 faults/s, 338 migrations/s, 12.3MB/s to VRAM (wall)',
        '',
        'Verified              at 0 quiescent points',
        'Checks held           none',
        '',
        'Time                  2.5s wall; 1,234,567 steps',
        'PASSED: nothing was checked',
      ]),
    );
  });

  it('breaks long lists below themselves', () => {
    const names = Array.from({ length: 12 }, (_, i) => `torn-down-${i}`);
    const report = runReport({ checks: names.map((name) => ({ name, ok: true, detail: '' })) });
    const lines = summaryTable(report, context).split('\n');
    const first = lines.findIndex((line) => line.startsWith('Checks held'));
    expect(lines.slice(first, first + 3)).toEqual([
      `Checks held           ${names.slice(0, 6).join(', ')},`,
      `                      ${names.slice(6).join(', ')}`,
      '',
    ]);
  });

  it('marks an interrupted run as partial', () => {
    expect(summaryTable(runReport({ outcome: 'interrupted' }), context)).toContain(
      'PARTIAL: interrupted; until then 2 checks held, 2 workloads verified',
    );
  });

  it('has the same words with colours', () => {
    const report = runReport({ checks: [{ name: 'content', ok: false, detail: 'lost' }] });
    const colored = summaryTable(report, { ...context, colors: colorsFor({}, true) });
    expect(colored).toContain('\x1b[31m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is removed
    expect(colored.replaceAll(/\x1b\[\d+m/g, '')).toBe(summaryTable(report, context));
  });
});
