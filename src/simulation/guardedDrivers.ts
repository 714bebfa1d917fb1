/** Drivers and invalidations of the user's own as the Coordinator makes and asks them: what is wrong with them ends the run with one message. */

import { type IoctlCall, type IoctlHandler, type IoctlReply, IoctlTable } from '../actors/ioctl.js';
import type { DriverMaker, OwnDriver, RaisedFault, ServeByDefault } from '../actors/ownDriver.js';
import { type Errno, isErrno } from '../base/errno.js';
import { Invalidation } from '../driver/invalidation.js';
import type { InvalidationMaker } from '../driver/svmVm.js';
import type { Steps } from '../sim/steps.js';
import {
  aboutFault,
  allowedParts,
  answered,
  type CodeOrigin,
  callOf,
  type GuardedCall,
  made,
  refuseAnswer,
  stepsOf,
} from './guardedCall.js';
import { refuseUnknownHooks } from './knownHooks.js';

const DRIVER_PARTS = ['register', 'notifiersOf', 'closeAll'];
const DRIVER_HOOKS = [...DRIVER_PARTS, 'serveFault'];
/** What the driver asks of an invalidation and runs as steps; `invalidateTlbs` only the class itself does. */
const INVALIDATION_STEPS = ['invalidate', 'drop', 'dropTranslations', 'zapDevice', 'unmapParts'];
const INVALIDATION_PARTS = [...INVALIDATION_STEPS, 'rangeAlloc', 'rangeFree'];
const INVALIDATION_HOOKS = [...INVALIDATION_PARTS, 'invalidateTlbs', 'widen'];

const SERVE_ALLOWED =
  'a generator function, which returns 0 (OK), or an error of Errno such as -14 (EFAULT), -12 (ENOMEM) or -16 (EBUSY)';
const REPLY_ALLOWED =
  'a generator function, which returns ioctlReply(errno, a, b): one of Errno, and two numbers';

/** Its calls, its claims, and what its tasks give; what they throw fails as tasks do. */
export function guardedDrivers(makers: readonly DriverMaker[], from: CodeOrigin): DriverMaker[] {
  return makers.map((make, i) => (services) => {
    const name = `drivers[${i}]`;
    const call = { from, what: `${name}()`, about: '', allowed: allowedParts('a driver', DRIVER_PARTS) };
    const look = (driver: object): void => refuseUnknownHooks({ from, name, hooks: DRIVER_HOOKS }, driver);
    return guardedDriver(
      made(call, DRIVER_PARTS, () => make(services), look),
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
  const closing = callOf('closeAll', name, from, 'a generator function');
  const guard = (request: number, handler: IoctlHandler): IoctlHandler => {
    const call = { from, what: `the call ${request} of ${name}`, about: '', allowed: REPLY_ALLOWED };
    return (asked) => guardedReply(call, () => handler(asked));
  };
  return {
    register: (ioctls) => answered(registering, () => driver.register(new GuardedTable(ioctls, guard))),
    notifiersOf: guardedClaim(driver, name, from),
    closeAll: (mm) => stepsOf(closing, () => driver.closeAll(mm)),
    ...guardedFaults(driver, name, from),
  };
}

function guardedClaim(driver: OwnDriver, name: string, from: CodeOrigin): OwnDriver['notifiersOf'] {
  const counting = callOf('notifiersOf', name, from, 'a number of interval notifiers');
  return (mm) => {
    const count: unknown = answered(counting, () => driver.notifiersOf(mm));
    return typeof count === 'number' && Number.isInteger(count) && count >= 0
      ? count
      : refuseAnswer(counting, count);
  };
}

function guardedFaults(driver: OwnDriver, name: string, from: CodeOrigin): Pick<OwnDriver, 'serveFault'> {
  const { serveFault } = driver;
  if (serveFault === undefined) return {};
  const serving = callOf('serveFault', name, from, SERVE_ALLOWED);
  return {
    serveFault: (fault, byDefault) =>
      guardedFault(serving, fault, () => serveFault.call(driver, fault, byDefault)),
  };
}

/** What it gives goes to the device: nothing there can tell that it is no errno. */
function* guardedFault(serving: GuardedCall, fault: RaisedFault, serve: ServeByDefault): Steps<Errno> {
  const { gpu, page, write } = fault;
  const call = { ...serving, about: aboutFault(gpu.index, page, write) };
  const task = fault.vm.kernel.sched.self;
  task.ownCode = serving.what;
  const errno: unknown = yield* stepsOf(call, serve);
  task.ownCode = null;
  return typeof errno === 'number' && isErrno(errno) ? errno : refuseAnswer(call, errno);
}

function* guardedReply(call: GuardedCall, handle: () => Steps<IoctlReply>): Steps<IoctlReply> {
  const reply = yield* stepsOf(call, handle);
  const wrong = wrongPart(reply);
  if (wrong === null) return reply;
  return wrong === '' ? refuseAnswer(call, reply) : refuseAnswer({ ...call, about: wrong }, reply);
}

/** The part of a reply that is none, in words; empty for what is no reply at all, null for one that can be sent. */
function wrongPart(reply: unknown): string | null {
  if (typeof reply !== 'object' || reply === null) return '';
  const wrong = ['errno', 'a', 'b'].find((key) => !isPart(key, Reflect.get(reply, key)));
  return wrong === undefined ? null : `in which ${wrong} is ${String(Reflect.get(reply, wrong))}`;
}

function isPart(key: string, value: unknown): boolean {
  return typeof value === 'number' && (key !== 'errno' || isErrno(value));
}

/** Passes calls on to the table of the Coordinator, each with a guard around it. */
class GuardedTable extends IoctlTable {
  constructor(
    private readonly table: IoctlTable,
    private readonly guard: (request: number, handler: IoctlHandler) => IoctlHandler,
  ) {
    super();
  }

  override register(request: number, handler: IoctlHandler): void {
    this.table.register(request, this.guard(request, handler));
  }

  override handle(request: number, call: IoctlCall): Steps<IoctlReply> {
    return this.table.handle(request, call);
  }
}

export function guardedInvalidation(make: InvalidationMaker, from: CodeOrigin): InvalidationMaker {
  const allowed = 'an Invalidation, or an object of a class that extends it';
  const call = { from, what: 'invalidation()', about: '', allowed };
  const part = { from, name: 'invalidation', hooks: INVALIDATION_HOOKS };
  const look = (what: object): void => refuseUnknownHooks(part, what, Invalidation.prototype);
  return (vm) => {
    const invalidation = made(call, INVALIDATION_PARTS, () => make(vm), look);
    for (const name of [...INVALIDATION_STEPS, 'invalidateTlbs']) guardSteps(invalidation, name, from);
    return invalidation;
  };
}

/** On the instance, where the class itself calls it, too; the method of the driver's own class needs no guard. */
function guardSteps(invalidation: Invalidation, name: string, from: CodeOrigin): void {
  const method: unknown = Reflect.get(invalidation, name);
  if (typeof method !== 'function' || method === Reflect.get(Invalidation.prototype, name)) return;
  const call = callOf(name, 'invalidation', from, 'a generator function');
  const value = (...args: unknown[]): Steps<unknown> =>
    stepsOf(call, (): Steps<unknown> => Reflect.apply(method, invalidation, args));
  Reflect.defineProperty(invalidation, name, { value, configurable: true, writable: true });
}
