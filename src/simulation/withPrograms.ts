/** Programs of the user's own become workloads of a run. */

import { UserError } from '../base/userError.js';
import type { Programs } from '../workload/ownProgram.js';
import { loadExtensions } from './extensionFile.js';
import { policyIdentity } from './policyIdentity.js';
import type { PolicyIdentity, SimulationConfig } from './simulationConfig.js';

/** With the programs of the module that the configuration names. @throws UserError for a module that will not do. */
export async function withModulePrograms(config: SimulationConfig): Promise<SimulationConfig> {
  const { policyFile } = config;
  if (policyFile === undefined) return config;
  const extensions = await loadExtensions(policyFile);
  const known = { ...config, policy: policyIdentity(policyFile, extensions) };
  return withPrograms(known, extensions.programs, `--policy ${policyFile}`);
}

/** For what has workloads of its own. @throws UserError for a module that will not do, or has programs, which would not run. */
export async function refusePrograms(policyFile: string, allowed: string): Promise<PolicyIdentity> {
  const extensions = await loadExtensions(policyFile);
  const names = Object.keys(extensions.programs ?? {});
  if (names.length === 0) return policyIdentity(policyFile, extensions);
  throw new UserError({
    where: `--policy ${policyFile}`,
    key: `programs.${names[0]}`,
    found: 'a program',
    allowed,
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
