/** The checkers that watch runs step by step, in the order of their identities. */

import { accessRevoked } from './accessRevoked.js';
import { addressesLead } from './addressesLead.js';
import { bindsCover } from './bindsCover.js';
import { bindsHold } from './bindsHold.js';
import { boundedLoops } from './boundedLoops.js';
import { callbackContext } from './callbackContext.js';
import { changesBracketed } from './changesBracketed.js';
import type { CheckerKind } from './checker.js';
import { copyFailedStays } from './copyFailedStays.js';
import { cpuTlbs } from './cpuTlbs.js';
import { dirtyCarried } from './dirtyCarried.js';
import { documentedErrors } from './documentedErrors.js';
import { errorClass } from './errorClass.js';
import { evictionEnds } from './evictionEnds.js';
import { firstErrorWins } from './firstErrorWins.js';
import { freshRanges } from './freshRanges.js';
import { illegalFaults } from './illegalFaults.js';
import { invalidationPairs } from './invalidationPairs.js';
import { legalFaults } from './legalFaults.js';
import { lockBalance } from './lockBalance.js';
import { marksCarried } from './marksCarried.js';
import { memoryIdle } from './memoryIdle.js';
import { migratedThere } from './migratedThere.js';
import { nothingReturns } from './nothingReturns.js';
import { notifierState } from './notifierState.js';
import { notifiersGone } from './notifiersGone.js';
import { opListsFreed } from './opListsFreed.js';
import { ownersAgree } from './ownersAgree.js';
import { pagemapsLive } from './pagemapsLive.js';
import { pinnedStay } from './pinnedStay.js';
import { publishRule } from './publishRule.js';
import { reservationsEnd } from './reservationsEnd.js';
import { signallingPath } from './signallingPath.js';
import { successHolds } from './successHolds.js';
import { timeslices } from './timeslices.js';
import { unmappedStays } from './unmappedStays.js';
import { validateEmpties } from './validateEmpties.js';

export const allCheckers: readonly CheckerKind[] = [
  notifierState,
  invalidationPairs,
  publishRule,
  accessRevoked,
  changesBracketed,
  callbackContext,
  notifiersGone,
  freshRanges,
  copyFailedStays,
  dirtyCarried,
  marksCarried,
  cpuTlbs,
  pinnedStay,
  addressesLead,
  ownersAgree,
  unmappedStays,
  reservationsEnd,
  memoryIdle,
  boundedLoops,
  lockBalance,
  legalFaults,
  illegalFaults,
  timeslices,
  evictionEnds,
  documentedErrors,
  successHolds,
  migratedThere,
  bindsHold,
  errorClass,
  firstErrorWins,
  nothingReturns,
  pagemapsLive,
  opListsFreed,
  bindsCover,
  signallingPath,
  validateEmpties,
];
