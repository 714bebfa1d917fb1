/** The checkers that watch runs step by step, in the order of their identities. */

import { accessRevoked } from './accessRevoked.js';
import { boundedLoops } from './boundedLoops.js';
import { callbackContext } from './callbackContext.js';
import type { CheckerKind } from './checker.js';
import { copyFailedStays } from './copyFailedStays.js';
import { documentedErrors } from './documentedErrors.js';
import { errorClass } from './errorClass.js';
import { firstErrorWins } from './firstErrorWins.js';
import { invalidationPairs } from './invalidationPairs.js';
import { lockBalance } from './lockBalance.js';
import { notifierState } from './notifierState.js';
import { ownersAgree } from './ownersAgree.js';
import { pinnedStay } from './pinnedStay.js';
import { publishRule } from './publishRule.js';
import { successHolds } from './successHolds.js';
import { unmappedStays } from './unmappedStays.js';

export const allCheckers: readonly CheckerKind[] = [
  notifierState,
  invalidationPairs,
  publishRule,
  accessRevoked,
  callbackContext,
  copyFailedStays,
  pinnedStay,
  ownersAgree,
  unmappedStays,
  boundedLoops,
  lockBalance,
  documentedErrors,
  successHolds,
  errorClass,
  firstErrorWins,
];
