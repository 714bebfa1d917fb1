/** Programs of the user's own become workloads of a run. */

import { UserError } from '../base/userError.js';
import type { Programs } from '../workload/ownProgram.js';
import { extensionsOf, loadExtensions } from './extensionFile.js';
import type { SimulationConfig } from './simulationConfig.js';

/** With the programs of the module that the configuration names. @throws UserError for a module that will not do. */
export async function withModulePrograms(config: SimulationConfig): Promise<SimulationConfig> {
  const { programs } = await extensionsOf(config);
  return withPrograms(config, programs, `--policy ${config.policyFile}`);
}

/** For what measures with workloads of its own. @throws UserError for a module that will not do, or has programs, which would not run. */
export async function refusePrograms(policyFile: string): Promise<void> {
  const { programs = {} } = await loadExtensions(policyFile);
  const names = Object.keys(programs);
  if (names.length === 0) return;
  throw new UserError({
    where: `--policy ${policyFile}`,
    key: `programs.${names[0]}`,
    found: 'a program',
    allowed: 'policies: a benchmark has workloads of its own; run and stress run programs',
  });
}

/** Each program runs on a CPU thread of its own, after those of the scenario. `where` has named them. @throws UserError */
export function withPrograms(
  config: SimulationConfig,
  programs: Programs | undefined,
  where: string,
): SimulationConfig {
  const names = Object.keys(programs ?? {});
  if (names.length === 0) return config;
  const taken = names.find((name) => config.workloads.some((other) => other.name === name));
  if (taken !== undefined) {
    throw new UserError({
      where,
      key: `programs.${taken}`,
      found: 'the name of a workload of the scenario',
      allowed: 'a name of its own',
    });
  }
  const added = names.map((name) => ({ kind: 'program' as const, name }));
  return { ...config, workloads: [...config.workloads, ...added] };
}
