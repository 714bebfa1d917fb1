/** Replaces a method of one object by a wrong version of it, which can still call the right one. */

import { AssertionFailure } from '../base/assert.js';

/**
 * On the instance, never on its class: machines without the bug run beside this one. `wrong` gets the right method, bound to the object, and
 * returns what is called from now on. Only public methods can be replaced.
 */
export function replaceMethod<T, K extends keyof T>(object: T, name: K, wrong: (right: T[K]) => T[K]): void {
  const method = object[name];
  if (typeof method !== 'function') throw new AssertionFailure(`${String(name)} is no method to replace`);
  const right: T[K] = method.bind(object);
  object[name] = wrong(right);
}
