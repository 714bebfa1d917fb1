/** What whoever starts a run may ask of it. */

import type { Trace } from '../observe/trace/trace.js';
import type { LiveRun } from './liveRun.js';
import type { RunProgress } from './runReport.js';

/** What may be asked of one run. */
export interface RunOptions {
  /** Given the recorded run when it has ended; the configuration must ask for a trace. */
  readonly onTrace?: (trace: Trace) => void;
  /** Called now and then while the run goes on. */
  readonly onProgress?: (progress: RunProgress) => void;
  /** Given the run when it begins, for those who watch it or hold it meanwhile. */
  readonly onLive?: (run: LiveRun) => void;
  /** Ends the run early, cleanly, with what was done so far. */
  readonly signal?: AbortSignal;
  /** Milliseconds between quiescent points at which everything is verified; 0: only at the end. */
  readonly verifyEveryMs?: number;
  /** On the executor's clock: an actor that waits without getting on for as long ends the run; 0: none does. */
  readonly stuckAfterMs?: number;
}
