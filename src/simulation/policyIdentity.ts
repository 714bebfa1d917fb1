/** Which module with code of the user's own a run had. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Extensions } from './extensions.js';
import type { PolicyIdentity } from './simulationConfig.js';

const HASH_DIGITS = 12;

/** Of a file that can be read; what it imports is not looked at. */
export function policyIdentity(path: string, extensions: Extensions): PolicyIdentity {
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, HASH_DIGITS);
  return { hash, names: namesOf(extensions) };
}

function namesOf({ placement, eviction, prefetch, programs = {} }: Extensions): string[] {
  const policies = [placement, eviction, prefetch].flatMap((policy) =>
    policy === undefined ? [] : [policy.name],
  );
  return [...new Set([...policies, ...Object.keys(programs)])];
}
