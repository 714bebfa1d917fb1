/** Runs the steps of one case, for tests of operations. */

import { caseSchema } from '../../../src/case/caseSchema.js';
import { runCase } from '../../../src/simulation/case/runCase.js';

/** What became of it. */
export async function runSteps(steps: readonly object[], expectations: readonly object[]) {
  const one = caseSchema.parse({ suite: 's', name: 'n', steps, expect: expectations });
  const { status, problems } = await runCase(one, { executor: 'virtual', seed: 1 });
  return { status, problems };
}

export const passes = { status: 'pass', problems: [] };
