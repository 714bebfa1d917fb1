/** What a part of the user's own may be asked: a name that is almost that of a hook would never be called, and the run would pass as if all were well. */

import { didYouMean, isAlmost } from '../base/didYouMean.js';
import { methodNames } from '../base/methodNames.js';
import { UserError } from '../base/userError.js';
import type { CodeOrigin } from './guardedCall.js';

const IN_A_CLASS = 'what else it needs can be in a class, or in the function that makes it';

/** A part as its messages name it, and the names by which svmsim asks it. */
export interface HookedPart {
  readonly from: CodeOrigin;
  /** `drivers[0]`. */
  readonly name: string;
  readonly hooks: readonly string[];
}

/**
 * Keys of an object that is no class's are hooks or nothing. A class may have methods of its own, but none whose name is almost that of a hook
 * which it lacks.
 * @throws UserError
 */
export function refuseUnknownHooks(part: HookedPart, object: object, base: object | null = null): void {
  if (isPlain(object)) refuseUnknownKeys(part, object);
  refuseMisspelt(part, object, base);
}

/** The second half of {@link refuseUnknownHooks}: for a part whose objects may hold what they like. @throws UserError */
export function refuseMisspelt(part: HookedPart, object: object, base: object | null = null): void {
  const { hooks } = part;
  const inherited = base === null ? [] : methodNames(base);
  const lacking = hooks.filter((hook) => isLacking(hook, object, base));
  for (const name of methodNames(object)) {
    if (hooks.includes(name) || inherited.includes(name)) continue;
    const meant = lacking.find((hook) => isAlmost(name, hook) && !saysMore(name, hook));
    if (meant !== undefined)
      throw refusal(part, name, 'an unknown method', meant, 'any that looks like none of these');
  }
}

function refuseUnknownKeys(part: HookedPart, object: object): void {
  const { hooks } = part;
  const unknown = Object.keys(object).find((key) => !hooks.includes(key));
  if (unknown !== undefined)
    throw refusal(part, unknown, 'an unknown key', didYouMean(unknown, hooks), IN_A_CLASS);
}

/** A name that goes on behind that of a hook says something of its own, `expected` or `progressOf`, unless it is only its plural. */
function saysMore(name: string, hook: string): boolean {
  return name.startsWith(hook) && name !== `${hook}s`;
}

function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null;
}

function isLacking(hook: string, object: object, base: object | null): boolean {
  const method: unknown = Reflect.get(object, hook);
  return method === undefined || (base !== null && method === Reflect.get(base, hook));
}

function refusal(
  part: HookedPart,
  key: string,
  found: string,
  meant: string | null,
  others: string,
): UserError {
  const { from, name, hooks } = part;
  return new UserError({
    where: from.policyFile ?? 'policy',
    key: `${name}.${key}`,
    found,
    allowed: `${hooks.join(', ')}; ${others}`,
    ...(meant === null ? {} : { hint: `did you mean '${meant}'?` }),
  });
}
