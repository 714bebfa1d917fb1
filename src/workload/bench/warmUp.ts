/** The rounds of a benchmark's program before the first that counts. */

import { Errno } from '../../base/errno.js';
import { SteadyState, type WarmUp } from '../../base/steadyState.js';
import type { Steps } from '../../sim/steps.js';
import { toErrno } from '../hostSteps.js';
import type { HostContext } from '../workload.js';

/** Rounds, or blocks of them, that are looked at together to find the end of warm-up. */
const STEADY_WINDOW = 10;

/**
 * Until rounds take the same time again and again, or until it has taken too long: a later sample may then still be faster, and the report says so.
 * `round` is given its number, and returns the nanoseconds that were measured of it, or an errno. Result counts: `warmups`, `steady`.
 */
export function* warmUp(
  host: Pick<HostContext, 'now' | 'stopping'>,
  limits: WarmUp,
  counts: Record<string, number>,
  round: (index: number) => Steps<number>,
): Steps<Errno> {
  const state = new SteadyState(limits, STEADY_WINDOW);
  while (!state.isOver && !host.stopping) {
    const startNs = host.now();
    const ns = yield* round(state.rounds);
    if (ns < 0) return toErrno(ns);
    state.add(ns, host.now() - startNs);
  }
  const { warmups, isSteady } = state.outcome;
  counts.warmups = warmups;
  counts.steady = isSteady ? 1 : 0;
  return Errno.OK;
}
