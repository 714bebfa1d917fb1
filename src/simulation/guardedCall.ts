/** A call into code of the user's own of which nothing is known but what it gives: what throws, or gives what is no answer, is his mistake. */

import { UserError } from '../base/userError.js';
import { atUserPlace } from '../base/userPlace.js';
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

function mistake({ from: { policyFile = 'policy' }, about, allowed }: GuardedCall, found: string): UserError {
  return new UserError({ where: policyFile, found: about === '' ? found : `${found} ${about}`, allowed });
}

function describe(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
