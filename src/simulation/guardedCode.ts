/** Drivers, invalidations and programs of the user's own as actors make and ask them: what is wrong with them ends the run with one message. */

import type { DriverMaker, OwnDriver } from '../actors/ownDriver.js';
import { Errno, isErrno } from '../base/errno.js';
import type { InvalidationMaker } from '../driver/svmVm.js';
import type { Steps } from '../sim/steps.js';
import type { OwnProgram, ProgramMaker, Programs } from '../workload/ownProgram.js';
import type { DeviceKernel } from '../workload/workload.js';
import { answered, type CodeOrigin, type GuardedCall, refuseAnswer } from './guardedCall.js';

const DRIVER_PARTS = ['register', 'notifiersOf', 'closeAll'];
const INVALIDATION_PARTS = ['invalidate', 'rangeAlloc', 'rangeFree'];
const PROGRAM_PARTS = ['run'];
const KERNEL_ALLOWED = 'a generator function of a context, which returns an errno';
const RUN_ALLOWED = 'a generator function, which returns in words what went wrong, or null';

/** Its calls and its claims; what it does in tasks fails as tasks do. */
export function guardedDrivers(makers: readonly DriverMaker[], from: CodeOrigin): DriverMaker[] {
  return makers.map((make, i) => (services) => {
    const name = `drivers[${i}]`;
    const call = { from, what: `${name}()`, about: '', allowed: allowedParts('a driver', DRIVER_PARTS) };
    return guardedDriver(
      made(call, DRIVER_PARTS, () => make(services)),
      name,
      from,
    );
  });
}

function guardedDriver(driver: OwnDriver, name: string, from: CodeOrigin): OwnDriver {
  const registering = callOf(
    'register',
    name,
    from,
    'calls of requests from OWN_REQUEST_FIRST on, each once',
  );
  const counting = callOf('notifiersOf', name, from, 'a number of interval notifiers');
  const { serveFault } = driver;
  return {
    register: (ioctls) => answered(registering, () => driver.register(ioctls)),
    notifiersOf: (mm) => answered(counting, () => driver.notifiersOf(mm)),
    closeAll: (mm) => driver.closeAll(mm),
    ...(serveFault === undefined
      ? {}
      : { serveFault: (fault, byDefault) => serveFault.call(driver, fault, byDefault) }),
  };
}

export function guardedInvalidation(make: InvalidationMaker, from: CodeOrigin): InvalidationMaker {
  const allowed = 'an Invalidation, or an object of a class that extends it';
  const call = { from, what: 'invalidation()', about: '', allowed };
  return (vm) => made(call, INVALIDATION_PARTS, () => make(vm));
}

export function guardedPrograms(programs: Programs, from: CodeOrigin): Programs {
  const guarded = Object.entries(programs).map(([name, make]) => [name, guardedMaker(name, make, from)]);
  return Object.fromEntries(guarded);
}

function guardedMaker(name: string, make: ProgramMaker, from: CodeOrigin): ProgramMaker {
  const allowed = allowedParts('a program', PROGRAM_PARTS);
  const call = { from, what: `programs.${name}()`, about: '', allowed };
  return (place) =>
    guardedProgram(
      made(call, PROGRAM_PARTS, () => make(place)),
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

/** @throws UserError for what is no generator. */
function stepsOf<T>(call: GuardedCall, begin: () => Steps<T>): Steps<T> {
  const steps = answered(call, begin);
  return hasFunctions(steps, ['next', Symbol.iterator]) ? steps : refuseAnswer(call, steps);
}

function callOf(method: string, owner: string, from: CodeOrigin, allowed: string): GuardedCall {
  return { from, what: `${method}() of ${owner}`, about: '', allowed };
}

/** @throws UserError for what throws, or lacks one of the functions. */
function made<T>(call: GuardedCall, parts: readonly string[], make: () => T): T {
  const what: T = answered(call, make);
  return hasFunctions(what, parts) ? what : refuseAnswer(call, what);
}

function hasFunctions(value: unknown, names: readonly PropertyKey[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === 'function');
}

function allowedParts(what: string, parts: readonly string[]): string {
  return `${what} {${parts.map((part) => `${part}()`).join(', ')}}`;
}
