/** That every expectation names a step that the case has. */

import type { Case } from '../../case/caseSchema.js';
import type { CaseExpectation } from '../../case/expectSchemas.js';
import type { Step } from '../../case/opSchemas.js';
import type { JsonPath } from './jsonPlace.js';
import type { CaseMistake } from './loadCases.js';

/** Those of one case, which stands at `path`. */
export function labelMistakes({ steps, expect }: Case, path: JsonPath): CaseMistake[] {
  const labels = new Set<string>();
  collectLabels(steps, labels);
  return expect.flatMap((one, i) => unknownLabels(one, labels, [...path, 'expect', i]));
}

function collectLabels(steps: readonly Step[], labels: Set<string>): void {
  for (const step of steps) {
    if (step.as !== undefined) labels.add(step.as);
    if (step.op === 'concurrent') {
      for (const branch of step.args.branches) collectLabels(branch, labels);
    } else if (step.op === 'repeat' || step.op === 'repeat_processes') {
      collectLabels(step.args.steps, labels);
    }
  }
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

function labelKeys(expectation: CaseExpectation): [key: string, label: string][] {
  if (expectation.type === 'counter_delta') {
    return [
      ['frm', expectation.frm],
      ['to', expectation.to],
    ];
  }
  if (expectation.type === 'vas') return [['after', expectation.after]];
  return 'step' in expectation ? [['step', expectation.step]] : [];
}

function allowedLabels(labels: ReadonlySet<string>): string {
  const names = [...labels];
  if (names.length === 0) return "the label of a step, given with 'as'";
  const more = names.length > 12 ? ' and others' : '';
  return `the label of a step: ${names.slice(0, 12).join(', ')}${more}`;
}
