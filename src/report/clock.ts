/** Which of the two clocks an executor's times are of; every figure says it. */

import type { ExecutorName } from '../simulation/simulationConfig.js';

/** `wall`: this machine took so long; `simulated`: the cost model says so. */
export type ClockName = 'wall' | 'simulated';

export function clockOf(executor: ExecutorName): ClockName {
  return executor === 'threads' ? 'wall' : 'simulated';
}
