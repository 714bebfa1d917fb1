/** Which steps expectations are about, by their labels. */

import type { CaseExpectation } from './expectSchemas.js';

/** Of the expectation itself, without those within it: each key that holds a label, with the label, in the order in which they must have run. */
export function labelKeys(expectation: CaseExpectation): readonly (readonly [key: string, label: string])[] {
  if (expectation.type === 'counter_delta') {
    return [
      ['frm', expectation.frm],
      ['to', expectation.to],
    ];
  }
  if (expectation.type === 'vas') return [['after', expectation.after]];
  return 'step' in expectation ? [['step', expectation.step]] : [];
}

/** The label of the step that an expectation is about; null where it is about what the whole case gave. */
export function stepOf(expectation: CaseExpectation): string | null {
  return labelKeys(expectation).at(-1)?.[1] ?? null;
}

/** The labels of all steps that an expectation names, with those within it. */
export function labelsOf(expectation: CaseExpectation): readonly string[] {
  const own = labelKeys(expectation).map(([, label]) => label);
  return expectation.type === 'if_ret_zero' ? [...own, ...expectation.then.flatMap(labelsOf)] : own;
}

/** It looks at what the whole case gave, and not at its steps alone. */
export function isOfWhole(expectation: CaseExpectation): boolean {
  return expectation.type === 'if_ret_zero' ? expectation.then.some(isOfWhole) : stepOf(expectation) === null;
}
