/** Runs a setup from its start to its end. */

import { makeSimulation } from '../simulation/makeSimulation.js';
import type { RunOptions } from '../simulation/runOptions.js';
import type { RunReport } from '../simulation/runReport.js';
import { configure, type Setup } from './setup.js';

/**
 * One run: what happened, what every workload gave, and which invariants hold. Failures of the simulated system are in the report. With
 * `onTrace` it is recorded.
 * @throws UserError for a mistake in the setup.
 */
export async function simulate(setup: Setup, options: RunOptions = {}): Promise<RunReport> {
  const { config: asked, extensions } = await configure(setup);
  const config = options.onTrace === undefined ? asked : { ...asked, trace: true };
  // The module that the configuration names is loaded there, and in workers.
  return makeSimulation(config, config.executor === 'threads' ? {} : extensions).run(options);
}

/** Whether a run ended by itself, every workload gave what it should, and every invariant held. */
export function passed({ failure, outcome, workloads, checks }: RunReport): boolean {
  const isWhole = outcome === 'completed' || outcome === 'time-up';
  return isWhole && failure === null && workloads.every(({ ok }) => ok) && checks.every(({ ok }) => ok);
}
