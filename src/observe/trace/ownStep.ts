/** Steps of a user's own code in a trace: named by a text in it, since no other program has them in its catalog. */

import { type StepField, type StepId, stepDefinition, stepFields } from '../../sim/steps.js';
import type { CatalogedStep } from '../stepCatalog.js';

const BETWEEN = '\n';

/** Name and fields in one text. */
export function ownStepText(id: StepId): string {
  const { name, fields } = stepDefinition(id);
  return [name, ...fields].join(BETWEEN);
}

/** What {@link ownStepText} was made of; fields that this program does not know are left out with those after them. */
export function ownStepOf(text: string): CatalogedStep {
  const [name, ...rest] = text.split(BETWEEN);
  const fields: StepField[] = [];
  for (const field of rest) {
    const known = stepFields.find((one) => one === field);
    if (known === undefined) break;
    fields.push(known);
  }
  return { name, fields };
}

const START = 'Start';
const END = 'End';

/** What begins with a step of this name: `card.read` with `card.readStart`; null for others. */
export function begunBy(name: string): string | null {
  return name.endsWith(START) ? name.slice(0, -START.length) : null;
}

/** What ends with a step of this name: `card.read` with `card.readEnd`. */
export function endedBy(name: string): string | null {
  return name.endsWith(END) ? name.slice(0, -END.length) : null;
}
