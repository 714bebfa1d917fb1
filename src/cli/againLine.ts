/** The command line that starts a run again with everything that decided how it went. */

import type { SimulationConfig } from '../simulation/simulationConfig.js';
import { DEFAULT_CHECKS } from '../simulation/withChecks.js';
import { commandLine } from './commandLine.js';
import type { CommonOptions } from './commonOptions.js';

export interface AgainOptions {
  readonly command: string;
  readonly path: string;
  readonly options: CommonOptions;
  /** Options of the command alone. */
  readonly more: readonly string[];
}

/** Seed and executor are named even where the scenario gave them: its file may change. */
export function againLine({ command, path, options, more }: AgainOptions, config: SimulationConfig): string {
  const { devices, layout, preset, policy, checks = DEFAULT_CHECKS, set = [] } = options;
  const words = ['svmsim', command, path, '--executor', config.executor, '--seed', String(config.seed)];
  if (devices !== undefined) words.push('--devices', String(devices));
  if (layout !== undefined) words.push('--layout', layout);
  if (preset !== undefined) words.push('--preset', preset);
  if (policy !== undefined) words.push('--policy', policy);
  if (checks !== DEFAULT_CHECKS) words.push('--checks', checks);
  words.push(...set.flatMap((assignment) => ['--set', assignment]), ...more);
  return commandLine(words);
}
