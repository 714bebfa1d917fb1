/** Worker of a sweep: runs one scenario with one seed for each task. */

import type { SweepTask } from '../src/cli/cliHost.js';
import { loadScenario } from '../src/scenario/loadScenario.js';
import { makeSimulation } from '../src/simulation/makeSimulation.js';
import type { RunReport } from '../src/simulation/runReport.js';

export default async function runTask({ scenario, overrides }: SweepTask): Promise<RunReport> {
  return makeSimulation(loadScenario(scenario, overrides)).run();
}
