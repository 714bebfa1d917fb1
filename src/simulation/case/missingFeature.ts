/** Which cases the simulator cannot run. */

import type { Case } from '../../case/caseSchema.js';
import { unknownNeed } from '../../case/knownNeeds.js';
import type { PlainOp, Step } from '../../case/opSchemas.js';
import { canDo } from '../../workload/case/opTable.js';
import type { CaseDriver } from '../../workload/workloadConfig.js';
import { caseDriver } from './caseMachine.js';

/** What the simulator lacks for a case; null when it lacks nothing. */
export function missingFeature(one: Case): string | null {
  return unknownNeed(one.needs) ?? missingOp(one.steps, caseDriver(one));
}

/** The first operation that the driver of the case does not have. */
function missingOp(steps: readonly Step[], driver: CaseDriver): PlainOp | null {
  for (const step of steps) {
    const missing = missingIn(step, driver);
    if (missing !== null) return missing;
  }
  return null;
}

function missingIn(step: Step, driver: CaseDriver): PlainOp | null {
  switch (step.op) {
    case 'concurrent':
      return missingOp(step.args.branches.flat(), driver);
    case 'repeat':
    case 'repeat_processes':
      return missingOp(step.args.steps, driver);
    case 'barrier':
      return null;
    default:
      return canDo(driver, step.op) ? null : step.op;
  }
}
