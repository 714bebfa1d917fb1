/** A call into code of the user's own of which nothing is known but what it gives: what throws, or gives what is no answer, is his mistake. */

import { formatVpn, type Vpn } from '../base/units.js';
import { UserError } from '../base/userError.js';
import { atUserPlace } from '../base/userPlace.js';
import type { Steps } from '../sim/steps.js';
import type { SimulationConfig } from './simulationConfig.js';

/** Where the code comes from, and the machine that it is for. */
export type CodeOrigin = Pick<SimulationConfig, 'policyFile' | 'deviceCount'>;

export interface GuardedCall {
  readonly from: CodeOrigin;
  /** `place() of 'mine'`. */
  readonly what: string;
  /** What it was asked about; empty where there is only one thing to ask. */
  readonly about: string;
  readonly allowed: string;
}

/** @throws UserError when the code throws. */
export function answered<T>(call: GuardedCall, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw mistake(call, `${call.what} that throws ${describe(error)}${atUserPlace(error)}`);
  }
}

/** @throws UserError */
export function refuseAnswer(call: GuardedCall, answer: unknown): never {
  throw mistake(call, `${call.what} that gives ${describe(answer)}`);
}

/** `look` refuses what has unknown parts. @throws UserError for what throws, lacks one of the functions, or is refused. */
export function made<T extends object>(
  call: GuardedCall,
  parts: readonly string[],
  make: () => T,
  look: (what: object) => void,
): T {
  const what: T = answered(call, make);
  // First: a part that is missing may be there under a name that is almost right.
  if (hasFunctions(what, [])) look(what);
  return hasFunctions(what, parts) ? what : refuseAnswer(call, what);
}

/** @throws UserError for what is no generator. */
export function stepsOf<T>(call: GuardedCall, begin: () => Steps<T>): Steps<T> {
  const steps = answered(call, begin);
  return hasFunctions(steps, ['next', Symbol.iterator]) ? steps : refuseAnswer(call, steps);
}

/** Of what has only one thing to be asked about. */
export function callOf(method: string, owner: string, from: CodeOrigin, allowed: string): GuardedCall {
  return { from, what: `${method}() of ${owner}`, about: '', allowed };
}

/** What must be there of an object that the user makes. */
export function allowedParts(what: string, parts: readonly string[]): string {
  return `${what} {${parts.map((part) => `${part}()`).join(', ')}}`;
}

/** Which fault a question was about. */
export function aboutFault(device: number, page: Vpn, write: boolean): string {
  return `for a ${write ? 'store' : 'load'} of device ${device} at ${formatVpn(page)}`;
}

function hasFunctions(value: unknown, names: readonly PropertyKey[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === 'function');
}

function mistake({ from: { policyFile = 'policy' }, about, allowed }: GuardedCall, found: string): UserError {
  return new UserError({ where: policyFile, found: about === '' ? found : `${found} ${about}`, allowed });
}

function describe(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  if (value instanceof Promise) return 'a promise';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
