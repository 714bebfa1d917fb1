/** How long a run without a clock of this machine's waits for its programs to come to rest. */

import type { SimulationConfig } from './simulationConfig.js';

const STEPS_MIN = 20_000_000;
/** A prefetch in ranges of 4 KiB takes some 45 steps for each page; several may be under way. */
const STEPS_PER_PAGE = 200;

/**
 * Steps of all actors until every program has stopped, or stands between two operations. Operations that touch all of memory end before; a program
 * that does not pass its gate would be waited for without end.
 */
export function restStepsMax({ ramPages, deviceCount, device }: SimulationConfig): number {
  return STEPS_MIN + STEPS_PER_PAGE * (ramPages + deviceCount * device.vramPages);
}
