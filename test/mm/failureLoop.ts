/** Lets each allocation of an operation fail in turn, and checks that every failure leaves the machine whole. */

import { assert } from '../../src/base/assert.js';
import { FailureInjector } from '../../src/memory/failureInjector.js';
import type { Kernel } from '../../src/mm/kernel.js';

export interface FailureTrial {
  readonly kernel: Kernel;
  /** The operation; it must not throw, whatever fails. */
  act(): void;
  /** What must hold afterwards, however the operation ended; `failed` says whether an allocation was made to fail. */
  check(failed: boolean): void;
}

/** No operation of a test allocates more often: a loop that gets here does not end. */
const RUNS_MAX = 2_000;

/**
 * Runs a fresh trial with the first allocation failing, then one with the second, and so on until none fails any more; the last run is the
 * one without failure. Returns the number of runs with a failure.
 */
export function forEachFailure(build: () => FailureTrial): number {
  for (let n = 1; n <= RUNS_MAX; n++) {
    const trial = build();
    const injector = new FailureInjector();
    injector.failNth(n);
    trial.kernel.injectFailures(injector);
    trial.act();
    trial.kernel.injectFailures(null);
    trial.check(injector.injected > 0);
    if (injector.injected === 0) return n - 1;
  }
  assert(false, `after ${RUNS_MAX} runs an allocation still fails`);
  return RUNS_MAX;
}
