/** Adds to a configuration which invariants are watched step by step. */

import { chooseCheckers } from '../check/online/chooseCheckers.js';
import type { ExecutorName, SimulationConfig } from './simulationConfig.js';

/** What runs and cases watch unless told. */
export const DEFAULT_CHECKS = 'cheap';

/** `checks` as for {@link chooseCheckers}. @throws UserError for what cannot be watched under the configuration's executor. */
export function withChecks(config: SimulationConfig, checks: string): SimulationConfig {
  requireCheckers(checks, config.executor);
  return { ...config, checks };
}

/** @throws UserError for what cannot be watched under that executor. */
export function requireCheckers(checks: string, executor: ExecutorName): void {
  chooseCheckers(checks, executor === 'threads');
}
