/** Carries out the steps of a case on one thread, blocks of steps included. */

import type { PlainOp, Step } from '../../case/opSchemas.js';
import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import { CaseMisuse, type CaseThread } from './caseThread.js';
import type { OpStep } from './opHandler.js';
import { opTables } from './opTable.js';

/** Called after each step. */
export type AfterStep = (step: Step, result: StepResult) => void;

/** Runs branches on other threads; part of the program, which knows them. */
export interface Branches {
  concurrent(thread: CaseThread, branches: readonly (readonly Step[])[]): Steps<void>;
  processes(thread: CaseThread, count: number, steps: readonly Step[]): Steps<void>;
  /** Waits until all processes of `repeat_processes` are here or have ended. */
  barrier(): Steps<void>;
}

const DONE: StepResult = { ret: 0 };

export function* runSteps(
  thread: CaseThread,
  steps: readonly Step[],
  branches: Branches,
  after: AfterStep,
): Steps<void> {
  for (const step of steps) {
    const result = yield* runStep(thread, step, branches, after);
    if (step.as !== undefined) thread.results[step.as] = result;
    after(step, result);
  }
}

export function* runStep(
  thread: CaseThread,
  step: Step,
  branches: Branches,
  after: AfterStep,
): Steps<StepResult> {
  switch (step.op) {
    case 'concurrent':
      yield* branches.concurrent(thread, step.args.branches);
      return DONE;
    case 'repeat_processes':
      yield* branches.processes(thread, step.args.count, step.args.steps);
      return DONE;
    case 'barrier':
      yield* branches.barrier();
      return DONE;
    case 'repeat':
      for (let round = 0; round < step.args.count; round++) {
        thread.round = round;
        yield* runSteps(thread, step.args.steps, branches, after);
      }
      return DONE;
    default:
      return yield* runPlain(thread, step);
  }
}

function* runPlain<O extends PlainOp>(thread: CaseThread, step: OpStep<O>): Steps<StepResult> {
  const handler = opTables[thread.driver][step.op];
  if (handler === undefined) throw new CaseMisuse(`${step.op} cannot be done here`);
  return yield* handler(thread, step.args);
}
