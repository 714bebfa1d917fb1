/** Settings of the JavaScript engine for this program: many small steps, each a call, which it would otherwise stop putting together too soon. */

import { setFlagsFromString } from 'node:v8';

/**
 * How much bytecode the optimizing compiler may put into one function, in all and from one callee. With the engine's own limits (920 and 460) a host
 * spends a tenth more on each migration, in calls of functions of a few instructions.
 */
const FLAGS = ['--max-inlined-bytecode-size-cumulative=5000', '--max-inlined-bytecode-size=1000'];

/** For the whole process, its workers included; before they start. Calling it again changes nothing. */
export function tuneEngine(): void {
  // Its native part is for large texts, of which there are none here; looking for it takes every worker a third of its start.
  process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED ??= 'true';
  for (const flag of FLAGS) setFlagsFromString(flag);
}
