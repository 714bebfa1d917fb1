/** That no step forks a process which exists already: its name would stand for two. */

import type { Case } from '../../case/caseSchema.js';
import type { Step } from '../../case/opSchemas.js';
import type { CaseMistake } from './caseMistake.js';
import { eachStep } from './eachStep.js';
import type { JsonPath } from './jsonPlace.js';

const MAIN_PROCESS = 'p0';

/** Those of one case, which stands at `path`, as far as the order of its own steps tells: what blocks fork, the run knows. */
export function forkMistakes({ steps }: Case, path: JsonPath): CaseMistake[] {
  const living = new Set([MAIN_PROCESS]);
  const mistakes: CaseMistake[] = [];
  steps.forEach((step, i) => {
    for (const ended of endedBy(step)) living.delete(ended);
    if (step.op !== 'fork') return;
    const { child } = step.args;
    if (living.has(child)) {
      const place = [...path, 'steps', i, 'args', 'child'];
      mistakes.push({ path: place, allowed: 'a process that does not exist yet' });
    }
    // One with a label may have failed.
    if (step.as === undefined) living.add(child);
  });
  return mistakes;
}

/** By a step, and by the steps within it. */
function endedBy(step: Step): string[] {
  const ended: string[] = [];
  eachStep([step], [], (inner) => {
    if (inner.op === 'exit' || inner.op === 'kill') ended.push(inner.args.proc ?? MAIN_PROCESS);
  });
  return ended;
}
