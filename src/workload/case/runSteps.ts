/** Carries out the steps of a case on one thread, blocks of steps included. */

import { Errno } from '../../base/errno.js';
import type { PlainOp, RepeatStep, Step } from '../../case/opSchemas.js';
import type { StepResult } from '../../case/stepResult.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { CaseMisuse, type CaseThread, ProcessEnded } from './caseThread.js';
import type { OpStep } from './opHandler.js';
import { opTables } from './opTable.js';

/** Called after each step. */
export type AfterStep = (step: Step, result: StepResult) => void;

/** Runs branches on other threads; part of the program, which knows them. */
export interface Branches {
  concurrent(thread: CaseThread, branches: readonly (readonly Step[])[]): Steps<void>;
  processes(thread: CaseThread, count: number, steps: readonly Step[]): Steps<void>;
  /** Waits until all branches or processes of the innermost block around are here or have ended. */
  barrier(thread: CaseThread): Steps<void>;
}

const ROUNDS_AT_ONCE = 1024;
const DONE: StepResult = { ret: 0 };
/** As of `exit` and `kill` of a process that has ended: -ESRCH of the kernel. */
const PROCESS_ENDED: StepResult = { ret: Errno.ENOENT, note: 'its process has ended', isOfEnded: true };

export function* runSteps(
  thread: CaseThread,
  steps: readonly Step[],
  branches: Branches,
  after: AfterStep,
): Steps<void> {
  const { gate } = thread.host;
  for (const step of steps) {
    if (thread.broken !== null) return;
    if (gate.isClosed) yield* gate.pass();
    const result = yield* runStep(thread, step, branches, after);
    if (step.as !== undefined) thread.note(step.as, result);
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
      yield* branches.barrier(thread);
      return DONE;
    case 'repeat':
      yield* repeat(thread, step, branches, after);
      return DONE;
    default:
      return yield* runPlain(thread, step);
  }
}

/** `$i` is the round of the innermost repetition: after it, that of the one around again. */
function* repeat(
  thread: CaseThread,
  { args }: RepeatStep,
  branches: Branches,
  after: AfterStep,
): Steps<void> {
  const { round } = thread;
  for (thread.round = 0; thread.round < args.count; thread.round++) {
    yield* runSteps(thread, args.steps, branches, after);
    if (thread.broken !== null) break;
    // Rounds that wait for nobody would else be one step, however many they are.
    if (thread.round % ROUNDS_AT_ONCE === ROUNDS_AT_ONCE - 1) yield STEP;
  }
  thread.round = round;
}

function* runPlain<O extends PlainOp>(thread: CaseThread, step: OpStep<O>): Steps<StepResult> {
  const handler = opTables[thread.driver][step.op];
  if (handler === undefined) throw new CaseMisuse(`${step.op} cannot be done here`);
  const { proc } = step.args;
  try {
    const result = yield* handler(thread, step.args);
    return result.ret !== 0 && (yield* thread.hasEnded(proc)) ? PROCESS_ENDED : result;
  } catch (error) {
    if (error instanceof ProcessEnded) return PROCESS_ENDED;
    throw error;
  }
}
