/** What is asked of `failEach.ts` on its command line, read and checked. */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { UserError } from '../../src/base/userError.js';
import { refusal, wholeNumber } from '../../src/cli/optionValues.js';
import { STEPS_AFTER_FAILURE } from '../../src/simulation/case/failingRun.js';

const JOBS_MAX = 1024;
const COUNT_MAX = 1e9;

export interface FailEachOptions {
  readonly files: readonly string[];
  /** Copies at once. */
  readonly jobs: number;
  /** Steps that a run goes on after the one in which an allocation failed. */
  readonly stepsAfter: number;
  /** The first allocation that is to fail, counted from 1. */
  readonly from: number;
  /** The last one. */
  readonly to: number;
}

/** @throws UserError */
export function failEachOptions(args: readonly string[], execArgv: readonly string[]): FailEachOptions {
  if (!execArgv.includes('--single-threaded'))
    throw refusal('node', execArgv.join(' '), '--single-threaded, since a copy has one thread only');
  const { positionals, values } = parsed(args);
  if (positionals.length === 0) throw refusal('FILE', '', 'one case file or more');
  const from = wholeNumber('--from', values.from, 1, COUNT_MAX);
  return {
    files: positionals,
    jobs: wholeNumber('--jobs', values.jobs, 1, JOBS_MAX),
    stepsAfter: wholeNumber('--steps-after', values['steps-after'], 0, COUNT_MAX),
    from,
    to: wholeNumber('--to', values.to, from, COUNT_MAX),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        jobs: { type: 'string', default: String(availableParallelism()) },
        'steps-after': { type: 'string', default: String(STEPS_AFTER_FAILURE) },
        from: { type: 'string', default: '1' },
        to: { type: 'string', default: String(COUNT_MAX) },
      },
    });
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new UserError({ found: reason, allowed: '--jobs, --steps-after, --from, --to, and case files' });
  }
}
