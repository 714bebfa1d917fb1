/** The table of a sweep over seeds. */

import { describe, expect, it } from 'vitest';
import { noColors } from '../../src/report/colors.js';
import { sweepTable, sweepVerdict } from '../../src/report/sweepTable.js';
import { runReport, text } from './fixtures.js';

const good = runReport({ executor: 'virtual', seed: 1, simulatedNs: 5e6 });
const bad = runReport({
  executor: 'virtual',
  seed: 2,
  simulatedNs: 6e6,
  checks: [{ name: 'content', ok: false, detail: 'lost' }],
});
const context = { colors: noColors, seeds: 2, againWith: (seed: number) => `svmsim run --seed ${seed}` };

describe('sweepTable', () => {
  it('has a row for each seed, and says how to run the first failed one again', () => {
    expect(sweepTable([good, bad], context)).toBe(
      text([
        'Seed  Result      Steps  Faults  Migrations  To VRAM  Time (simulated)  Time (wall)  What failed',
        '   1  ok      1,234,567   1,234         676  23.4MiB               5ms         2.5s',
        '   2  FAILED  1,234,567   1,234         676  23.4MiB               6ms         2.5s  violated: content',
        '',
        'FAILED: 1 of 2 seeds failed, first 2',
        'Again: svmsim run --seed 2',
      ]),
    );
  });

  it('passes when all seeds do', () => {
    expect(
      sweepTable([good], { ...context, seeds: 1 })
        .split('\n')
        .slice(-2),
    ).toEqual(['PASSED: 1 seed, all checks held', '']);
  });
});

describe('sweepVerdict', () => {
  it('is partial when seeds are missing', () => {
    expect(sweepVerdict([good], 3)).toMatchObject({ word: 'PARTIAL', ok: true, partial: true });
    expect(sweepVerdict([], 3).text).toBe('interrupted before a seed was done');
    expect(sweepVerdict([good], 3).text).toBe('interrupted; 1 of 3 seeds done, all of them passed');
  });

  it('fails for one failed seed, whole or partial', () => {
    expect(sweepVerdict([good, bad], 2)).toMatchObject({ word: 'FAILED', ok: false, partial: false });
    expect(sweepVerdict([bad], 2)).toMatchObject({ word: 'FAILED', ok: false, partial: true });
  });
});
