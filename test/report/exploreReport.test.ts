/** What a search says of how sure one may be. */

import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/explore/block.js';
import { coverageOf } from '../../src/explore/confidence.js';
import type { ExplorationReport } from '../../src/explore/exploration.js';
import { exploreDocument, exploreText, keptLines } from '../../src/report/exploreReport.js';
import { environment } from './fixtures.js';

const target = { source: { kind: 'scenario', path: 'p', text: '', set: [] }, bug: null } as const;
const finding: Finding = {
  verdict: { kind: 'deadlock', invariant: null, message: 'm', details: [] },
  strategy: 'random',
  schedule: 0,
  steps: 1,
  preemptions: 0,
  choices: new Uint32Array(),
};

const context = {
  name: 'race',
  bug: null,
  expected: null,
  own: {},
  seed: 1,
  wallMs: 1000,
  replay: null,
  shrunk: null,
  turns: null,
};

function reportOf(drawn: readonly number[], others: readonly number[]): ExplorationReport {
  const coverage = coverageOf({ drawn: Float64Array.from(drawn), others: Float64Array.from(others) });
  return {
    schedules: coverage.schedules,
    undecided: 0,
    stepsMin: 100,
    stepsMean: 110,
    stepsMax: 120,
    byStrategy: [],
    findings: [],
    coverage,
    bounds: [],
    tasksMax: 3,
    choicesMax: 50,
    isExhausted: false,
    isPartial: false,
  };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function confidenceOf(drawn: readonly number[], others: readonly number[]): string {
  return exploreText(reportOf(drawn, others), context).trimEnd().split('\n').at(-1) ?? '';
}

it('says how many of the lines of a verdict it leaves out', () => {
  const linesOf = (count: number): string[] => {
    const details = numbers(count).map((i) => `line ${i}`);
    const found = { ...finding, verdict: { ...finding.verdict, details } };
    const text = exploreText({ ...reportOf([1, 2], []), findings: [found] }, context);
    return text.split('\n').filter((line) => line.includes('line'));
  };
  expect(linesOf(24)).toHaveLength(24);
  expect(linesOf(30).slice(-2)).toEqual(['  line 23', '  and 6 lines more, which svmsim replay prints']);
});

it('says of a search that was stopped at once no more than that', () => {
  const text = exploreText({ ...reportOf([], []), isPartial: true }, context);
  expect(text).toBe('race: interrupted before the first schedule ended\n');
});

describe('schedules that were too long', () => {
  it('are told beside what was found', () => {
    const text = exploreText({ ...reportOf([1, 2, 3], []), undecided: 2 }, context);
    expect(text).toContain('found nothing\n2 of 3 schedules not decided: they still got things done');
    expect(text).toContain('3 of 3 schedules were distinct');
  });

  it('are all that is told where no other was', () => {
    const text = exploreText({ ...reportOf([1, 2, 3], []), undecided: 3 }, context);
    expect(text).toContain(
      'too long to explore: every schedule still got things done when its steps or the time ran out',
    );
    expect(text).toContain('fewer pages, rounds or devices');
    expect(text).not.toMatch(/found nothing|distinct/);
    const ok = (undecided: number): boolean =>
      exploreDocument({ ...reportOf([1, 2, 3], []), undecided }, context, environment).ok;
    expect([ok(2), ok(3)]).toEqual([true, false]);
  });
});

describe('what was found in the program of a known bug', () => {
  const report = { ...reportOf([1, 2, 3], []), findings: [finding] };
  const known = (kind: 'deadlock' | 'livelock') => {
    const expected = [{ kind: 'invariant', invariant: 'I4' } as const, { kind }];
    return { ...context, bug: 'B1', expected };
  };

  it('is told where it is something else', () => {
    expect(exploreText(report, known('livelock'))).toContain(
      '\n  this is not what B1 is known to show: invariant of I4, or livelock\n',
    );
    expect(exploreText(report, known('deadlock'))).not.toContain('is not what');
    expect(exploreText(report, { ...context, bug: 'B1' })).not.toContain('is not what');
  });

  it('says so in the document', () => {
    const expectedIn = (kind: 'deadlock' | 'livelock') =>
      exploreDocument(report, known(kind), environment).results;
    expect(expectedIn('livelock')).toMatchObject([{ expected: false }]);
    expect(expectedIn('deadlock')).toMatchObject([{ expected: true }]);
  });
});

describe('what became of a failure', () => {
  const size = { steps: 150, preemptions: 3, operations: 9, pages: 4, devices: 2, contexts: 1, threads: 1 };
  const line = (to: Partial<typeof size>): string =>
    keptLines({
      replay: null,
      shrunk: { target, finding, from: size, to: { ...size, ...to }, isCut: false },
      turns: null,
    })[0];

  it('begins with what became less', () => {
    expect(line({ steps: 152, operations: 5 })).toBe('shrunk from 9 to 5 operations, 150 to 152 steps');
    expect(line({ steps: 60, preemptions: 1 })).toBe('shrunk from 150 to 60 steps, 3 to 1 preemption');
    expect(line({})).toBe('could not be made smaller');
  });
});

describe('the confidence of a search', () => {
  function boundedBy(missedAtMost: number, neededFor99 = 2900): ExplorationReport {
    const needed = { neededFor95: 1900, neededFor99 };
    return {
      ...reportOf([1, 1], []),
      bounds: [{ depth: 2, schedules: 7, choices: 40, missedAtMost, ...needed }],
    };
  }

  it('is an estimate of the space where schedules came twice', () => {
    expect(confidenceOf([1, 1, 2, 3, 4, 5], [])).toBe(
      '5 of 6 schedules were distinct; about 8 in all, the next one is new with 66.7 %; 44 more for 99 % of them',
    );
  });

  it('says that nothing came twice', () => {
    expect(confidenceOf(numbers(100), [])).toBe(
      '100 of 100 schedules were distinct; none came twice, so that there are at least about 5,050 in all, and 99 % of them need at least about 22,926 more',
    );
    const { confidence } = exploreDocument(reportOf(numbers(100), []), context, environment);
    expect(confidence).toMatchObject({ estimated: 5050, atLeast: true, schedulesFor99: 22_926 });
  });

  it('says nothing of the space where few were drawn', () => {
    for (const drawn of [[1], numbers(99)])
      expect(confidenceOf(drawn, [])).toBe(
        `${drawn.length} of ${drawn.length} schedules were distinct; too few were drawn at random to estimate how many there are`,
      );
  });

  it('says of every schedule which ones these are', () => {
    expect(exploreText({ ...reportOf([], [1, 2]), isExhausted: true }, context)).toContain(
      'every schedule within the bound of the strategy was run, or one that leads to the same, with 0 for every number drawn at random\n',
    );
  });

  it('gives no bound of depth that says nothing', () => {
    const bound = (missedAtMost: number): string => exploreText(boundedBy(missedAtMost), context);
    expect(bound(0.999_99)).toContain(
      'a bug of depth 2 may well be missed: the PCT schedules of that depth are too few to tell how likely; at most 5 % needs 1,900, at most 1 % needs 2,900\n',
    );
    expect(bound(0.5)).toContain(
      'a bug of depth 2 in the first 40 choices of a run is missed by 7 PCT schedules of that depth with at most 50.00 %; at most 5 % needs 1,900, at most 1 % needs 2,900\n',
    );
    expect(bound(0.02)).toContain('with at most 2.00 %; at most 1 % needs 2,900\n');
    expect(bound(0.01)).toContain('with at most 1.00 %\n');
    expect(exploreText(boundedBy(1, Number.POSITIVE_INFINITY), context)).toContain(
      'how likely; at most 5 % needs 1,900\n',
    );
    const [written] = [
      exploreDocument(boundedBy(1, Number.POSITIVE_INFINITY), context, environment).confidence,
    ];
    expect(written).toMatchObject({ bounds: [{ neededFor95: 1900, neededFor99: null }] });
  });

  it('says whom the estimate is about where not all were drawn at random', () => {
    expect(confidenceOf(numbers(100), [109, 109, 109])).toBe(
      '101 of 103 schedules were distinct; of the 100 drawn at random none came twice, so that there are at least about 5,050 in all, and 99 % of them need at least about 22,926 more',
    );
    expect(confidenceOf([1, 1, 2, 3, 4, 5], [9])).toContain(
      '6 of 7 schedules were distinct; by those drawn at random about 8 in all',
    );
  });

  it('estimates nothing where none was drawn at random', () => {
    expect(confidenceOf([], [9, 9])).toBe('1 of 2 schedules were distinct');
    expect(exploreDocument(reportOf([], [9, 9]), context, environment).confidence).toMatchObject({
      distinct: 1,
      drawn: 0,
      estimated: null,
      atLeast: false,
      unseen: null,
      schedulesFor99: null,
    });
  });
});
