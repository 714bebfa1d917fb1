/** What became of one run. */

import type { Verdict } from './verdict.js';

export interface Outcome {
  /** Null when all was well. */
  readonly verdict: Verdict | null;
  /** It still got things done when its steps, or the time of the search, ran out: too long to be judged. Never with a verdict. */
  readonly isUndecided: boolean;
  /** Steps of the protocol, all those included at which there was no choice. */
  readonly steps: number;
  /** Simulated nanoseconds. */
  readonly simulatedNs: number;
  /** Tasks that were started. */
  readonly tasks: number;
  /** Times that a task that could have gone on had to wait for another one. */
  readonly preemptions: number;
  /** Equal for equal schedules, 52 bits. */
  readonly hash: number;
  /** The choices, in order. */
  readonly choices: Uint32Array;
}
