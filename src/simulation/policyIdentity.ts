/** Which module with code of the user's own a run had. */

import { readFileSync } from 'node:fs';
import { shortHash } from '../base/shortHash.js';
import type { Extensions } from './extensions.js';
import type { PolicyIdentity } from './simulationConfig.js';

/** Of a file that can be read; what it imports is not looked at. */
export function policyIdentity(path: string, extensions: Extensions): PolicyIdentity {
  return { hash: shortHash(readFileSync(path)), names: namesOf(extensions) };
}

function namesOf({ placement, eviction, prefetch, programs = {} }: Extensions): string[] {
  const policies = [placement, eviction, prefetch].flatMap((policy) =>
    policy === undefined ? [] : [policy.name],
  );
  return [...new Set([...policies, ...Object.keys(programs)])];
}
