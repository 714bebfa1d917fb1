/** A named step with its arguments as one line of text. */

import { stepText } from '../observe/stepText.js';
import { type StepId, stepDefinition } from '../sim/steps.js';

/** `args` are those of `Scheduler.at`; `actorNames` name the other end of messages, where they are at hand. */
export function describeStepEvent(
  step: StepId,
  args: readonly number[],
  actorNames: readonly string[] = [],
): string {
  const { name, fields } = stepDefinition(step);
  return stepText(name, fields, args, actorNames);
}
