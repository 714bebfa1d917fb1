/** Runs a schedule a second time: all that a run does must follow from its choices. */

import type { Outcome } from './outcome.js';
import type { SubjectRunner } from './subjectRunner.js';
import type { Verdict } from './verdict.js';

/** Null where the second run, on a new machine, went as the first. */
export function nondeterminismOf(runner: SubjectRunner, first: Outcome): Verdict | null {
  const { outcome: second, isExact } = runner.replay(first.choices, true);
  const differences = [
    ...difference('steps', first.steps, second.steps),
    ...difference('tasks', first.tasks, second.tasks),
    ...difference('simulated ns', first.simulatedNs, second.simulatedNs),
    ...difference('verdict', titleOf(first), titleOf(second)),
    ...(isExact ? [] : ['a choice of the first run could not be made in the second']),
  ];
  if (differences.length === 0) return null;
  return {
    kind: 'nondeterminism',
    invariant: null,
    message: 'the same schedule, run again, went another way',
    details: differences,
  };
}

function difference(what: string, first: number | string, second: number | string): string[] {
  return first === second ? [] : [`${what}: ${first}, then ${second}`];
}

function titleOf({ verdict }: Outcome): string {
  return verdict === null ? 'none' : `${verdict.kind}: ${verdict.message}`;
}
