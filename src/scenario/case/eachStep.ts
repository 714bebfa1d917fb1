/** Every step of a case with its place, those within blocks included. */

import type { Step } from '../../case/opSchemas.js';
import type { JsonPath } from './jsonPlace.js';

/** In the order of the file; `path` is that of the list. */
export function eachStep(
  steps: readonly Step[],
  path: JsonPath,
  visit: (step: Step, at: JsonPath) => void,
): void {
  steps.forEach((step, i) => {
    const at = [...path, i];
    visit(step, at);
    if (step.op === 'concurrent') {
      for (const [j, branch] of step.args.branches.entries()) {
        eachStep(branch, [...at, 'args', 'branches', j], visit);
      }
    } else if (step.op === 'repeat' || step.op === 'repeat_processes') {
      eachStep(step.args.steps, [...at, 'args', 'steps'], visit);
    }
  });
}
