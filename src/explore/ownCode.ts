/** Code of the user's own that takes part in what is explored: which module it is, and what it gives where it is loaded. */

import { loadExtensions } from '../simulation/extensionFile.js';
import type { Extensions } from '../simulation/extensions.js';
import { policyIdentity } from '../simulation/policyIdentity.js';
import type { PolicyIdentity } from '../simulation/simulationConfig.js';

/** All of it is left out where there is none. */
export interface OwnCode {
  /** Which module; a failure file keeps this, and nothing else of it. */
  readonly policy?: PolicyIdentity;
  /** Absolute path, from a command line: no file that comes from elsewhere names one. */
  readonly policyFile?: string;
  /** Functions: each thread loads them itself. */
  readonly extensions?: Extensions;
}

/** @throws UserError for a module that will not do. */
export async function loadOwnCode(policyFile: string): Promise<Required<OwnCode>> {
  const extensions = await loadExtensions(policyFile);
  return { policy: policyIdentity(policyFile, extensions), policyFile, extensions };
}

/** With what the module gives on this thread. @throws UserError for a module that will not do any more. */
export async function withOwnCode<T extends OwnCode>(target: T): Promise<T> {
  const { policyFile } = target;
  return policyFile === undefined ? target : { ...target, extensions: await loadExtensions(policyFile) };
}

/** As another thread may have it. */
export function withoutFunctions<T extends OwnCode>({ extensions: _, ...plain }: T): Omit<T, 'extensions'> {
  return plain;
}
