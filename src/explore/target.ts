/** What of every run of a search is the same for all of them: the program, the checkers, the bug that is put in. */

import { assert } from '../base/assert.js';
import type { SubjectSource } from '../bugs/bugOverlay.js';
import { findBug } from '../bugs/catalogue.js';
import { allCheckers } from '../check/online/allCheckers.js';
import { subjectOf } from './subject.js';
import { STEPS_MAX, SubjectRunner } from './subjectRunner.js';

/** Plain data, so that it can be sent to a worker and kept in a file: what is explored, and the bug by its number. */
export interface ExplorationTarget {
  readonly source: SubjectSource;
  /** Null for the protocol as it is. */
  readonly bug: string | null;
}

/** @throws UserError for a scenario with mistakes. */
export function runnerOf({ source, bug }: ExplorationTarget): SubjectRunner {
  const overlay = bug === null ? null : findBug(bug);
  assert(bug === null || overlay !== null, () => `there is no bug ${bug}`);
  const stepsMax = overlay?.stepsMax ?? STEPS_MAX;
  return new SubjectRunner(subjectOf(source), { checkers: allCheckers, overlay, stepsMax });
}
