/** Programs of the user's own as actors make and ask them: what is wrong with them ends the run with one message. */

import { Errno, isErrno } from '../base/errno.js';
import type { Steps } from '../sim/steps.js';
import type { OwnProgram, ProgramMaker, Programs } from '../workload/ownProgram.js';
import type { DeviceKernel } from '../workload/workload.js';
import {
  allowedParts,
  answered,
  type CodeOrigin,
  callOf,
  type GuardedCall,
  made,
  refuseAnswer,
  stepsOf,
} from './guardedCall.js';
import { refuseMisspelt } from './knownHooks.js';

const PROGRAM_PARTS = ['run'];
const PROGRAM_HOOKS = [...PROGRAM_PARTS, 'kernel', 'progress', 'expect'];
const KERNEL_ALLOWED = 'a generator function of a context, which returns an errno';
const RUN_ALLOWED = 'a generator function, which returns in words what went wrong, or null';

export function guardedPrograms(programs: Programs, from: CodeOrigin): Programs {
  const guarded = Object.entries(programs).map(([name, make]) => [name, guardedMaker(name, make, from)]);
  return Object.fromEntries(guarded);
}

function guardedMaker(name: string, make: ProgramMaker, from: CodeOrigin): ProgramMaker {
  const allowed = allowedParts('a program', PROGRAM_PARTS);
  const call = { from, what: `programs.${name}()`, about: '', allowed };
  const part = { from, name: `programs.${name}`, hooks: PROGRAM_HOOKS };
  const look = (program: object): void => refuseMisspelt(part, program);
  return (place) =>
    guardedProgram(
      made(call, PROGRAM_PARTS, () => make(place), look),
      name,
      from,
    );
}

function guardedProgram(program: OwnProgram, name: string, from: CodeOrigin): OwnProgram {
  const running = callOf('run', `programs.${name}`, from, RUN_ALLOWED);
  const launching = callOf('kernel', `programs.${name}`, from, KERNEL_ALLOWED);
  const telling = callOf('progress', `programs.${name}`, from, 'plain data');
  const expecting = callOf('expect', `programs.${name}`, from, 'a list of {start, npages, check()}');
  const { kernel, progress, expect } = program;
  return {
    run: (host) => guardedRun(running, () => program.run(host)),
    ...(kernel === undefined
      ? {}
      : { kernel: (...of) => guardedKernel(launching, () => kernel.call(program, ...of)) }),
    ...(progress === undefined ? {} : { progress: () => answered(telling, () => progress.call(program)) }),
    ...(expect === undefined
      ? {}
      : { expect: (actors) => answered(expecting, () => expect.call(program, actors)) }),
  };
}

/** What it is that went wrong, or null; of a program that says nothing all is well. */
function* guardedRun(call: GuardedCall, run: () => Steps<string | null>): Steps<string | null> {
  const wrong: unknown = yield* stepsOf(call, run);
  if (wrong === undefined || wrong === null) return null;
  return typeof wrong === 'string' ? wrong : refuseAnswer(call, wrong);
}

function guardedKernel(call: GuardedCall, give: () => DeviceKernel): DeviceKernel {
  const kernel = answered(call, give);
  if (typeof kernel !== 'function') return refuseAnswer(call, kernel);
  return function* (context) {
    const errno: unknown = yield* stepsOf(call, () => kernel(context));
    if (errno === undefined) return Errno.OK;
    return typeof errno === 'number' && isErrno(errno) ? errno : refuseAnswer(call, errno);
  };
}
