/** Looks at what a caller has given who may have no types: each mistake is told by its key, with what was found and what is allowed. */

import { didYouMean } from '../base/didYouMean.js';
import { UserError } from '../base/userError.js';

/** @throws UserError for anything but a map from keys to values. */
export function requireKeys(where: string, key: string | null, value: unknown, allowed: string): void {
  const isObject = typeof value === 'object' && value !== null;
  if (isObject && !Array.isArray(value) && !(value instanceof URL) && !(value instanceof Map)) return;
  refuse(where, key, value, allowed);
}

/** @throws UserError for a key that would change nothing. */
export function refuseUnknown(where: string, given: object, known: readonly string[]): void {
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const meant = didYouMean(unknown, known);
  const hint = meant === null ? {} : { hint: `did you mean '${meant}'?` };
  throw new UserError({
    where,
    key: unknown,
    found: 'an unknown key',
    allowed: known.join(', '),
    ...hint,
  });
}

/** What may be left out must otherwise hold. @throws UserError */
export function requireOptional(
  where: string,
  key: string,
  value: unknown,
  holds: (value: unknown) => boolean,
  allowed: string,
): void {
  if (value !== undefined && !holds(value)) refuse(where, key, value, allowed);
}

/** @throws UserError */
export function requireWhole(where: string, key: string, value: unknown, min: number, max: number): void {
  const holds = (given: unknown): boolean =>
    typeof given === 'number' && Number.isSafeInteger(given) && given >= min && given <= max;
  requireOptional(where, key, value, holds, `a whole number from ${min} to ${max}`);
}

export function isText(value: unknown): boolean {
  return typeof value === 'string';
}

export function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

export function isSignal(value: unknown): boolean {
  return value instanceof AbortSignal;
}

/** A value in the words of messages. */
export function describeGiven(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return 'a list';
    return value instanceof URL ? value.href : `an object of ${value.constructor?.name ?? 'no class'}`;
  }
  return typeof value === 'function' || typeof value === 'symbol' ? `a ${typeof value}` : String(value);
}

function refuse(where: string, key: string | null, value: unknown, allowed: string): never {
  throw new UserError({
    where,
    ...(key === null ? {} : { key }),
    found: describeGiven(value),
    allowed,
  });
}
