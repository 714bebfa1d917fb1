/** The module with code of the user's own that a failure was found with: it is loaded only where the command line names it. */

import { resolve } from 'node:path';
import { UserError } from '../base/userError.js';
import type { Failure } from '../explore/failureFile.js';
import { loadOwnCode } from '../explore/ownCode.js';
import { policyTitle } from '../report/configuration.js';
import type { CliHost } from './cliHost.js';
import { refusal } from './optionValues.js';

export interface PlayableFailure {
  readonly failure: Failure;
  /** The text of the module is another than when the failure was found. */
  readonly hasOtherPolicy: boolean;
}

/** `file` is the failure's. @throws UserError for a module that is missing, or that nothing asks for. */
export async function withFailurePolicy(
  failure: Failure,
  file: string,
  typed: string | undefined,
  host: CliHost,
): Promise<PlayableFailure> {
  const { policy } = failure.target;
  if (policy === undefined) {
    if (typed === undefined) return { failure, hasOtherPolicy: false };
    throw refusal(`--policy ${typed}`, 'nothing that it concerns', 'with a failure that had such a module');
  }
  if (typed === undefined) {
    throw new UserError({
      where: file,
      found: `a failure with a module of the user's own, ${policyTitle(policy)}`,
      allowed: '--policy with that module: what runs is named on the command line, never by a failure file',
    });
  }
  const own = await loadOwnCode(resolve(typed));
  const hasOtherPolicy = own.policy.hash !== policy.hash;
  if (hasOtherPolicy) {
    const then = `${policyTitle(policy)} when this failure was found`;
    host.stderr.write(`svmsim: note: ${typed} is ${policyTitle(own.policy)} now, and was ${then}\n`);
  }
  return { failure: { ...failure, target: { ...failure.target, ...own } }, hasOtherPolicy };
}
