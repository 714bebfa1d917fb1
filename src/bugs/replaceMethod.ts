/** Replaces a method of one object by a wrong version of it, which can still call the right one. */

import { didYouMean } from '../base/didYouMean.js';
import { methodNames } from '../base/methodNames.js';
import { OverlayMistake } from './overlayMistake.js';

/**
 * On the instance, never on its class: machines without the bug run beside this one. `wrong` gets the right method, bound to the object, and
 * returns what is called from now on. Only public methods can be replaced.
 * @throws OverlayMistake for what is no method: overlays may have been run without a look at their types.
 */
export function replaceMethod<T extends object, K extends keyof T>(
  object: T,
  name: K,
  wrong: (right: T[K]) => T[K],
): void {
  const method = object[name];
  if (typeof method !== 'function') throw noMethod(object, String(name), method);
  const right: T[K] = method.bind(object);
  object[name] = wrong(right);
}

function noMethod(object: object, name: string, found: unknown): OverlayMistake {
  const methods = methodNames(object);
  const meant = didYouMean(name, methods);
  return new OverlayMistake({
    where: 'replaceMethod of a bug overlay',
    key: name,
    found: found === undefined ? 'an unknown method' : `a ${typeof found}`,
    allowed: `a method of ${object.constructor.name}: ${methods.join(', ')}`,
    ...(meant === null ? {} : { hint: `did you mean '${meant}'?` }),
  });
}
