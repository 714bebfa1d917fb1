/** Runs a setup from its start to its end. */

import { checkMachine } from '../scenario/memoryNeed.js';
import { makeSimulation } from '../simulation/makeSimulation.js';
import type { RunOptions } from '../simulation/runOptions.js';
import type { RunReport } from '../simulation/runReport.js';
import { isFunction, isSignal, refuseUnknown, requireKeys, requireOptional } from './given.js';
import { configure, type Setup } from './setup.js';

const OPTIONS = 'simulate';
const FUNCTIONS = ['onTrace', 'onProgress', 'onLive'] as const;
const SPANS = ['verifyEveryMs', 'stuckAfterMs'] as const;

/**
 * One run: what happened, what every workload gave, and which invariants hold. Failures of the simulated system are in the report. With
 * `onTrace` it is recorded.
 * @throws UserError for a mistake in the setup or the options, and for a run that this machine cannot hold.
 */
export async function simulate(setup: Setup, options: RunOptions = {}): Promise<RunReport> {
  checkOptions(options);
  const { config: asked, extensions } = await configure(setup);
  const config = options.onTrace === undefined ? asked : { ...asked, trace: true };
  checkMachine(config);
  // The module that the configuration names is loaded there, and in workers.
  return makeSimulation(config, config.executor === 'threads' ? {} : extensions).run(options);
}

/** Callers without types get their mistakes said too. @throws UserError */
function checkOptions(options: RunOptions): void {
  requireKeys(OPTIONS, null, options, 'an object with options of a run');
  refuseUnknown(OPTIONS, options, [...FUNCTIONS, ...SPANS, 'signal']);
  for (const key of FUNCTIONS) requireOptional(OPTIONS, key, options[key], isFunction, 'a function');
  for (const key of SPANS)
    requireOptional(OPTIONS, key, options[key], isSpan, 'milliseconds: a number of at least 0');
  requireOptional(OPTIONS, 'signal', options.signal, isSignal, 'an AbortSignal');
}

function isSpan(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Whether a run ended by itself, every workload gave what it should, and every invariant held. */
export function passed({ failure, outcome, workloads, checks }: RunReport): boolean {
  const isWhole = outcome === 'completed' || outcome === 'time-up';
  return isWhole && failure === null && workloads.every(({ ok }) => ok) && checks.every(({ ok }) => ok);
}
