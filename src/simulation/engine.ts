/** Settings of the JavaScript engine for this program: many small steps, each a call, which it would otherwise stop putting together too soon. */

import { setFlagsFromString } from 'node:v8';

/**
 * How much bytecode the optimizing compiler may put into one function, in all and from one callee. With the engine's own limits (920 and 460) a host
 * spends a tenth more on each migration, in calls of functions of a few instructions.
 */
const INLINING = ['--max-inlined-bytecode-size-cumulative=5000', '--max-inlined-bytecode-size=1000'];

/**
 * How much bytecode a function runs before it is optimized. At the engine's own 67,584 the compilers of ten workers take half of two cores for the first ten
 * seconds, and whoever is woken waits for the end of one of their time slices. docs/performance.md has the measurement.
 */
const PATIENCE = '--interrupt-budget=400000';
/** The engine's own: what is done thousands of times, or measured, should be optimized soon, and its two cores are there for few threads. */
const HASTE = '--interrupt-budget=67584';
/**
 * In megabytes, that of the engine at its largest. It grows by what survives: of a run that is over hardly anything does, so a worker would stay at a
 * quarter of this, and collect as much more often.
 */
const YOUNG_GENERATION = '--min-semi-space-size=16';

let isTuned = false;

/** For the whole process, its workers included; before they start. Calling it again changes nothing. */
export function tuneEngine(): void {
  if (isTuned) return;
  isTuned = true;
  // Its native part is for large texts, of which there are none here; looking for it takes every worker a third of its start.
  process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED ??= 'true';
  for (const flag of [...INLINING, PATIENCE]) setFlagsFromString(flag);
}

/** For a process that measures how fast its own code is. */
export function tuneForMeasuring(): void {
  tuneEngine();
  setFlagsFromString(HASTE);
}

/** For a process that runs small programs thousands of times, in few threads. */
export function tuneForSearching(): void {
  tuneForMeasuring();
  setFlagsFromString(YOUNG_GENERATION);
}
