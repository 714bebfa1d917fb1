/** Adds to a configuration which invariants are watched step by step. */

import { chooseCheckers } from '../check/online/chooseCheckers.js';
import type { SimulationConfig } from './simulationConfig.js';

/** What runs and cases watch unless told. */
export const DEFAULT_CHECKS = 'cheap';

/** `checks` as for {@link chooseCheckers}. @throws UserError for what cannot be watched under the configuration's executor. */
export function withChecks(config: SimulationConfig, checks: string): SimulationConfig {
  chooseCheckers(checks, config.executor === 'threads');
  return { ...config, checks };
}
