/** Worker of a sweep: runs one scenario with one seed for each task. */

import type { SweepTask } from '../src/cli/cliHost.js';
import { answering, type TaskAnswer } from '../src/cli/taskAnswer.js';
import { loadScenario } from '../src/scenario/loadScenario.js';
import { makeSimulation } from '../src/simulation/makeSimulation.js';
import type { RunReport } from '../src/simulation/runReport.js';
import { withModulePrograms } from '../src/simulation/withPrograms.js';

export default function runTask({ scenario, overrides }: SweepTask): Promise<TaskAnswer<RunReport>> {
  return answering(async () => {
    const config = await withModulePrograms(loadScenario(scenario, overrides));
    return makeSimulation(config).run();
  });
}
