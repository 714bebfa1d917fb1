/** What a trace keeps is what is made of it: no step that somebody follows is missing, and none is kept for nobody. */

import { describe, expect, it } from 'vitest';
import { catalogedStep, STEP_NUMBERS } from '../../../src/observe/stepCatalog.js';
import { followedSteps, instantSteps, placeSteps, spanRules } from '../../../src/observe/trace/spanRules.js';
import { tracedWords } from '../../../src/observe/trace/tracedSteps.js';

const numbers = new Map(
  Array.from({ length: STEP_NUMBERS }, (_, number) => [catalogedStep(number).name, number]),
);

function wordsOf(name: string): number {
  const number = numbers.get(name);
  return number === undefined ? 0 : tracedWords[number];
}

describe('the steps that a trace keeps', () => {
  it.each([
    ...followedSteps,
    ...placeSteps,
    ...instantSteps,
    ...spanRules.flatMap(({ begin, end, phases }) => [begin, ...end, ...Object.keys(phases)]),
  ])('%s is one, with all of its arguments', (name) => {
    const fields = catalogedStep(numbers.get(name) ?? 0).fields.length;
    expect(wordsOf(name)).toBe(2 + fields);
  });

  it('leave out what nobody asks for, however often it is taken', () => {
    expect(wordsOf('fault.handle')).toBe(0);
    expect(wordsOf('hmm.walked')).toBe(0);
  });
});
