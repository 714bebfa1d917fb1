/** Adds to a configuration which invariants are watched step by step. */

import { chooseCheckers } from '../check/online/chooseCheckers.js';
import type { ExecutorName, SimulationConfig } from './simulationConfig.js';

/** What runs and cases watch unless told. */
export const DEFAULT_CHECKS = 'cheap';

/** `checks` and `where` as for {@link chooseCheckers}. @throws UserError for what cannot be watched under the configuration's executor. */
export function withChecks(config: SimulationConfig, checks: string, where?: string): SimulationConfig {
  requireCheckers(checks, config.executor, where);
  return { ...config, checks };
}

/** @throws UserError for what cannot be watched under that executor. */
export function requireCheckers(checks: string, executor: ExecutorName, where?: string): void {
  chooseCheckers(checks, executor === 'threads', where);
}
