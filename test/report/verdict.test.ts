/** What a run comes to. */

import { describe, expect, it } from 'vitest';
import { noColors } from '../../src/report/colors.js';
import { verdictLine, verdictOf } from '../../src/report/verdict.js';
import { runReport } from './fixtures.js';

const failure = { actor: 'gpu1', isVerdict: true, message: 'a page is lost', lastSteps: [], waits: [] };

describe('verdictOf', () => {
  it('passes a run whose checks and results all hold', () => {
    expect(verdictOf(runReport())).toEqual({
      word: 'PASSED',
      ok: true,
      partial: false,
      internal: false,
      text: '2 checks held, 2 workloads verified',
    });
    expect(verdictOf(runReport({ outcome: 'time-up' })).word).toBe('PASSED');
  });

  it('counts neither rules that looked at nothing nor workloads that did nothing', () => {
    const { checks, workloads } = runReport();
    const report = runReport({
      outcome: 'interrupted',
      checks: [...checks, { name: 'hugetlb', ok: true, detail: '0 huge pages', isEmpty: true }],
      workloads: [{ ...workloads[0], isEmpty: true }, workloads[1]],
    });
    expect(verdictOf(report).text).toBe(
      'interrupted; until then 2 checks held, 1 workload verified, 1 did nothing',
    );
  });

  it('says when nothing was checked', () => {
    expect(verdictOf(runReport({ checks: [], workloads: [] })).text).toBe('nothing was checked');
  });

  it('fails for a violated check, a wrong result or a failed actor, and names them', () => {
    const violated = runReport({
      checks: [
        { name: 'content', ok: false, detail: '' },
        { name: 'M2', ok: false, detail: '' },
      ],
      workloads: [{ workload: 'saxpy', ok: false, detail: '', counts: {} }],
      failure,
      outcome: 'failed',
    });
    const { word, ok, text } = verdictOf(violated);
    expect({ word, ok, text }).toEqual({
      word: 'FAILED',
      ok: false,
      text: 'violated: content, M2; wrong result: saxpy; gpu1 failed',
    });
    expect(verdictOf(runReport({ outcome: 'failed' })).ok).toBe(false);
    expect(verdictOf(runReport({ failure })).ok).toBe(false);
  });

  it('marks an interrupted run as partial, and still fails it for what it found', () => {
    const verdict = verdictOf(runReport({ outcome: 'interrupted' }));
    expect(verdict).toMatchObject({ word: 'PARTIAL', ok: true, partial: true });
    const checks = [{ name: 'content', ok: false, detail: '' }];
    expect(verdictOf(runReport({ outcome: 'interrupted', checks }))).toMatchObject({
      word: 'FAILED',
      ok: false,
      partial: true,
    });
  });

  it('tells a failure of the simulator from one of what it simulates', () => {
    const verdict = (isVerdict: boolean) => verdictOf(runReport({ failure: { ...failure, isVerdict } }));
    expect(verdict(false)).toMatchObject({ ok: false, internal: true });
    expect(verdict(true)).toMatchObject({ ok: false, internal: false });
  });

  it('is written in one line', () => {
    expect(verdictLine(verdictOf(runReport()), noColors)).toBe('PASSED: 2 checks held, 2 workloads verified');
  });
});
