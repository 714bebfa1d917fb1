/** A failure of a known bug, found by the given seed, for tests of what is done with failures. */

import { findBug } from '../../src/bugs/catalogue.js';
import type { VerdictKind } from '../../src/bugs/verdictKind.js';
import type { Failure } from '../../src/explore/failureFile.js';
import { runnerOf } from '../../src/explore/target.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';

const SCHEDULES = 200;

/** The first schedule that ends in this way. */
export function someFailure(id: string, kind: VerdictKind = 'invariant'): Failure {
  const bug = findBug(id);
  if (bug === null) throw new Error(`${id} is missing`);
  const target = { source: bug.subject, bug: bug.id };
  const runner = runnerOf(target);
  const strategy = new RandomStrategy(1);
  for (let schedule = 0; schedule < SCHEDULES; schedule++) {
    const outcome = runner.run(strategy);
    if (outcome?.verdict?.kind !== kind) continue;
    return { target, verdict: outcome.verdict, strategy: 'random', schedule, choices: outcome.choices };
  }
  throw new Error(`${id} does not show`);
}
