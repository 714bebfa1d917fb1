/** What a run with a module of the user's own ends with, for tests of modules with mistakes. */

import { writeFileSync } from 'node:fs';
import { makeSimulation } from '../../src/simulation/makeSimulation.js';
import { withModulePrograms } from '../../src/simulation/withPrograms.js';
import { smallScenario } from './scenarios.js';

/** Null where nothing is thrown. */
export async function moduleError(
  policyFile: string,
  exported: string,
  executor: 'virtual' | 'threads',
): Promise<unknown> {
  writeFileSync(policyFile, `export default ${exported}`);
  const run = withModulePrograms({ ...smallScenario({ executor }), policyFile }).then((config) =>
    makeSimulation(config).run(),
  );
  return run.then(
    () => null,
    (error: unknown) => error,
  );
}
