/** That a step which can say in several ways what it is about says it in one. */

import type { Case } from '../../case/caseSchema.js';
import type { Step } from '../../case/opSchemas.js';
import type { CaseMistake } from './caseMistake.js';
import { eachStep } from './eachStep.js';
import type { JsonPath } from './jsonPlace.js';

/** Those of one case, which stands at `path`. */
export function placeMistakes({ steps }: Case, path: JsonPath): CaseMistake[] {
  const mistakes: CaseMistake[] = [];
  eachStep(steps, [...path, 'steps'], (step, at) => {
    const mistake = mistakeOf(step);
    if (mistake !== null) mistakes.push({ path: [...at, 'args'], ...mistake });
  });
  return mistakes;
}

function mistakeOf(step: Step): Pick<CaseMistake, 'found' | 'allowed'> | null {
  if (step.op === 'prefetch') {
    const { buf, addr, pages, bytes } = step.args;
    if (buf === undefined && addr === undefined)
      return { found: 'neither buf nor addr', allowed: 'one of the two' };
    if (buf !== undefined && addr !== undefined) return { found: 'buf and addr', allowed: 'one of the two' };
    if (pages !== undefined && bytes !== undefined)
      return { found: 'pages and bytes', allowed: 'one of the two' };
  }
  if (step.op === 'migrate_hint' && step.args.bufs === undefined && step.args.ranges === undefined)
    return { found: 'neither bufs nor ranges', allowed: 'one of the two, or both' };
  return null;
}
