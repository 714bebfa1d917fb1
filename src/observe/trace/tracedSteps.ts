/** Which steps a trace keeps: those that something that is made of a trace asks for. The others would only cost time and room. */

import { argumentCount, catalogedStep, STEP_NUMBERS, type StepNumber } from '../stepCatalog.js';
import { followedSteps, instantSteps, placeSteps, spanRules } from './spanRules.js';
import { EVENT_WORDS } from './traceWords.js';

const wanted: ReadonlySet<string> = new Set<string>([
  ...spanRules.flatMap(({ begin, end, phases }) => [begin, ...end, ...Object.keys(phases)]),
  ...instantSteps,
  ...followedSteps,
  ...placeSteps,
]);

/** By step number: the words of its event, 0 for a step that is not kept. */
export const tracedWords: Uint8Array = Uint8Array.from({ length: STEP_NUMBERS }, (_, number) =>
  wanted.has(catalogedStep(number).name) ? EVENT_WORDS + argumentCount(number as StepNumber) : 0,
);

/** By step number: 1 where the last argument says how long something took, so that the clock was read for it a moment ago. */
export const endsATime: Uint8Array = Uint8Array.from({ length: STEP_NUMBERS }, (_, number) =>
  catalogedStep(number).fields.at(-1) === 'ns' ? 1 : 0,
);
