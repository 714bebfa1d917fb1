/** What of every run of a search is the same for all of them: the program, the checkers, the bug that is put in. */

import { assert } from '../base/assert.js';
import { UserError } from '../base/userError.js';
import type { SubjectSource } from '../bugs/bugOverlay.js';
import { findBug } from '../bugs/catalogue.js';
import { chooseCheckers } from '../check/online/chooseCheckers.js';
import type { BufferStock } from './bufferStock.js';
import type { OwnCode } from './ownCode.js';
import { subjectOf } from './subject.js';
import { STEPS_MAX, SubjectRunner } from './subjectRunner.js';

/** Plain data but for code of the user's own, so that it can be sent to a worker and kept in a file: what is explored, and the bug by its number. */
export interface ExplorationTarget extends OwnCode {
  readonly source: SubjectSource;
  /** Null for the protocol as it is. */
  readonly bug: string | null;
  /** Which invariants are watched step by step, as `chooseCheckers` takes it; all unless told. */
  readonly checks?: string;
  /** Steps after which a run counts as one without an end; those of the bug, or the runner's own, unless told. */
  readonly stepsMax?: number;
  /** Steps after which programs without an end are told to stop; the runner's own unless told. */
  readonly disturbedSteps?: number;
}

/** Code of the user's own is loaded. @throws UserError for a scenario with mistakes, and for checks that are not there. */
export function runnerOf(target: ExplorationTarget, stock?: BufferStock): SubjectRunner {
  const { source, bug, checks = 'all', disturbedSteps, policy, extensions } = target;
  assert(policy === undefined || extensions !== undefined, "the user's own code is not loaded");
  const overlay = bug === null ? null : findBug(bug);
  assert(bug === null || overlay !== null, () => `there is no bug ${bug}`);
  const stepsMax = target.stepsMax ?? overlay?.stepsMax ?? STEPS_MAX;
  const checkers = chooseCheckers(checks);
  return new SubjectRunner(subjectOf(source, target), { checkers, overlay, stepsMax, disturbedSteps, stock });
}

/** @throws UserError for checks that are not there, before a search begins. */
export function requireCheckers(checks: string): void {
  chooseCheckers(checks);
}

/** Whether checkers can be chosen so. */
export function areCheckers(checks: string): boolean {
  try {
    chooseCheckers(checks);
    return true;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return false;
  }
}
