/** Programs that are a little smaller than a given one. */

import type { SubjectSource } from '../../bugs/bugOverlay.js';
import { smallerCases } from './smallerCases.js';
import { smallerScenarios } from './smallerScenarios.js';

/** The largest cuts first. Not every one of them needs to be a program that can run. */
export function smallerSources(source: SubjectSource): SubjectSource[] {
  return source.kind === 'case' ? smallerCases(source.program) : smallerScenarios(source);
}
