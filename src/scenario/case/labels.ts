/** That no two steps have the same label, and that every expectation names a step that the case has. */

import type { Case } from '../../case/caseSchema.js';
import { labelKeys } from '../../case/expectedSteps.js';
import type { CaseExpectation } from '../../case/expectSchemas.js';
import type { CaseMistake } from './caseMistake.js';
import { eachStep } from './eachStep.js';
import type { JsonPath } from './jsonPlace.js';

const ONE_EACH = 'a label that no other step of the case has';

/** Those of one case, which stands at `path`. */
export function labelMistakes({ steps, expect }: Case, path: JsonPath): CaseMistake[] {
  const labels = new Set<string>();
  const twice: CaseMistake[] = [];
  eachStep(steps, [...path, 'steps'], ({ as }, at) => {
    if (as === undefined) return;
    // Only one of them could be looked at.
    if (labels.has(as))
      twice.push({ path: [...at, 'as'], found: `the label ${as} once more`, allowed: ONE_EACH });
    labels.add(as);
  });
  return [...twice, ...expect.flatMap((one, i) => unknownLabels(one, labels, [...path, 'expect', i]))];
}

function unknownLabels(
  expectation: CaseExpectation,
  labels: ReadonlySet<string>,
  path: JsonPath,
): CaseMistake[] {
  const mistakes = labelKeys(expectation)
    .filter(([, label]) => !labels.has(label))
    .map(([key]) => ({ path: [...path, key], allowed: allowedLabels(labels) }));
  if (expectation.type !== 'if_ret_zero') return mistakes;
  return [
    ...mistakes,
    ...expectation.then.flatMap((one, i) => unknownLabels(one, labels, [...path, 'then', i])),
  ];
}

function allowedLabels(labels: ReadonlySet<string>): string {
  const names = [...labels];
  if (names.length === 0) return "the label of a step, given with 'as'";
  const more = names.length > 12 ? ' and others' : '';
  return `the label of a step: ${names.slice(0, 12).join(', ')}${more}`;
}
