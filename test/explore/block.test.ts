/** A block tells of the runs that fail in it what a machine of their own would show, whatever they leave behind. */

import { describe, expect, it } from 'vitest';
import { COORDINATOR } from '../../src/actors/coordinator.js';
import { AssertionFailure } from '../../src/base/assert.js';
import { type BlockResult, type BlockTask, runBlockOn } from '../../src/explore/block.js';
import type { Execution } from '../../src/explore/execution.js';
import type { HowReady } from '../../src/explore/machinePark.js';
import { makeStrategy } from '../../src/explore/strategies/makeStrategy.js';
import { SubjectRunner } from '../../src/explore/subjectRunner.js';
import type { Steps } from '../../src/sim/steps.js';
import type { Strategy } from '../../src/sim/strategy.js';
import { talkingProgram } from './talkingProgram.js';

/** In the middle of a run. */
const FAILING_STEP = 120;
/** One of so many schedules that get there fails: runs before and after it do not. */
const FAILING_SHARE = 11;
const SCHEDULES = 160;

function* fail(): Steps<void> {
  throw new AssertionFailure('made up');
}

/** Some schedules fail in the middle, and always the same ones. */
class FailingRunner extends SubjectRunner {
  constructor(private readonly onlyNew: boolean) {
    super(talkingProgram(), { checkers: [], overlay: null, stepsMax: 20_000 });
  }

  override begin(strategy: Strategy, how: HowReady = {}): Execution {
    const execution = super.begin(strategy, this.onlyNew ? { isNew: true } : how);
    const { executor } = execution;
    let sum = 0;
    execution.beforeStep = () => {
      const runnable = [...executor.tasks].filter(({ state }) => state === 'runnable');
      for (const { id } of runnable) sum += id;
      if (executor.steps === FAILING_STEP && sum % FAILING_SHARE === 0) {
        executor.spawn(COORDINATOR, 'made up', fail());
      }
      return false;
    };
    return execution;
  }
}

function runBlock(runner: SubjectRunner, stopAtFirst: boolean, schedules = SCHEDULES): BlockResult {
  const target = { source: { kind: 'scenario', path: '', text: '', set: [] }, bug: null } as const;
  const task: BlockTask = {
    target,
    targetKey: '',
    index: 0,
    strategy: 'pct3',
    seed: 5,
    schedules,
    endAtSharedMs: Number.POSITIVE_INFINITY,
  };
  return runBlockOn(runner, task, stopAtFirst);
}

describe('a block with runs that fail in the middle', () => {
  it.each([true, false])(
    'has the result of machines that are all new (ends with the first: %s)',
    (stopAtFirst) => {
      const result = runBlock(new FailingRunner(false), stopAtFirst);
      expect(result.findings.map(({ verdict }) => verdict.message)).toEqual(['made up']);
      expect(result).toEqual(runBlock(new FailingRunner(true), stopAtFirst));
    },
  );
});

it('a block tells the fewest, the most and all steps of its runs', () => {
  const runner = (): SubjectRunner =>
    new SubjectRunner(talkingProgram(), { checkers: [], overlay: null, stepsMax: 20_000 });
  const alone = runner();
  const strategy = makeStrategy('pct3', 5);
  const steps = Array.from({ length: 12 }, () => alone.run(strategy)?.steps ?? 0);
  const fewest = Math.min(...steps);
  expect(new Set(steps).size).toBeGreaterThan(2);
  expect(runBlock(runner(), false, 12)).toMatchObject({
    stepsMin: fewest,
    stepsMax: Math.max(...steps),
    stepsTotal: steps.reduce((sum, one) => sum + one, 0),
  });
});
