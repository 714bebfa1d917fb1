/** How long nobody may get anything done. */

import type { SimulationConfig } from './simulationConfig.js';

/** Steps of all actors, and seconds, at the least: runs of 64 devices have somebody get on in each 50,000 steps. */
const STEPS_MIN = 2_000_000;
const SECONDS_MIN = 60;
/** One call may move all of memory while all others wait for it: some 45 steps for each page, and several calls may be under way. */
const STEPS_PER_PAGE = 100;
const SECONDS_PER_PAGE = 0.0005;

/** On the side of `virtual`, whose clock says nothing of how long somebody waits: in steps of all actors. */
export function stillStepsMax(config: SimulationConfig): number {
  return STEPS_MIN + STEPS_PER_PAGE * pagesOf(config);
}

/** Where the wall clock is the clock. */
export function stillSecondsMax(config: SimulationConfig): number {
  return Math.ceil(SECONDS_MIN + SECONDS_PER_PAGE * pagesOf(config));
}

function pagesOf({ ramPages, deviceCount, device }: SimulationConfig): number {
  return ramPages + deviceCount * device.vramPages;
}
