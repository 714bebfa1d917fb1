/** What an operation of a case is to the runner: one small function from its arguments to its result. */

import type { ArgsOf, PlainOp } from '../../case/opSchemas.js';
import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import type { CaseThread } from './caseThread.js';

/** The arguments of each operation. */
export type OpArgs = { readonly [O in PlainOp]: ArgsOf<O> };

export type OpHandler<O extends PlainOp> = (thread: CaseThread, args: OpArgs[O]) => Steps<StepResult>;

export type OpHandlers<O extends PlainOp = PlainOp> = { readonly [P in O]: OpHandler<P> };

/** A step whose operation is one of `O`. */
export type OpStep<O extends PlainOp = PlainOp> = {
  readonly [P in O]: { readonly op: P; readonly args: OpArgs[P]; readonly as?: string | undefined };
}[O];

/** A result that is a return value alone. */
export function returned(ret: number): StepResult {
  return { ret: ret < 0 ? ret : 0 };
}
