/** The cases that svmsim ships hold under other schedules too: nothing about a search itself makes one fail. */

import { describe, expect, it } from 'vitest';
import { sharedNowMs } from '../../src/base/sharedClock.js';
import type { Case } from '../../src/case/caseSchema.js';
import { runBlock } from '../../src/explore/block.js';
import { eachStep } from '../../src/scenario/case/eachStep.js';
import { loadCaseFiles } from '../../src/scenario/case/loadCases.js';

/** Of each case. */
const SCHEDULES = 8;
/** The nightly run takes all cases, of which a few are too long to be explored: these may take so long. */
const TAKES_ALL = process.env.SVMSIM_ALL_CASES !== undefined;
const MILLISECONDS_MAX = TAKES_ALL ? 20_000 : Number.POSITIVE_INFINITY;

/** Each went wrong once in a search alone: by counters that nobody counted, by a timeslice of 50,000 steps, by a loop over parts of an address space. */
const ONCE_WRONG = [
  'prefetch-fault-svm',
  'from device to device without a stop in RAM',
  'mgpu-pagefault-basic',
  'eviction while others access',
  'migrate_dirty_page',
];

function isConcurrent({ steps }: Case): boolean {
  let found = false;
  eachStep(steps, [], ({ op }) => {
    found ||= op === 'concurrent';
  });
  return found;
}

function isChosen(program: Case): boolean {
  return (
    TAKES_ALL ||
    ONCE_WRONG.includes(program.name) ||
    (isConcurrent(program) && !program.name.startsWith('mgpu-'))
  );
}

describe('a search over the cases that are shipped', () => {
  const chosen = loadCaseFiles(['test/cases'])
    .flatMap(({ cases }) => cases)
    .filter(isChosen);

  it('has all those that went wrong once', () => {
    expect(chosen.map(({ name }) => name)).toEqual(expect.arrayContaining(ONCE_WRONG));
  });

  it.each(chosen.map((program) => [`${program.suite}: ${program.name}`, program] as const))(
    '%s',
    (_, program) => {
      const task = {
        target: { source: { kind: 'case', program }, bug: null, checks: 'all' },
        targetKey: `${program.suite} ${program.name}`,
        index: 0,
        strategy: 'random',
        seed: 1,
        schedules: SCHEDULES,
        endAtSharedMs: sharedNowMs() + MILLISECONDS_MAX,
      } as const;
      expect(runBlock(task, true).findings).toEqual([]);
    },
    60_000,
  );
});
