/** One run under either executor, as the command line and the tests drive it. */

import type { RunOptions } from './runOptions.js';
import type { RunReport } from './runReport.js';
import type { WorkerPool } from './workerPool.js';

export interface PooledRunOptions extends RunOptions {
  /** Under `threads`: where workers come from and go to, for runs that follow one another. Without it the run has its own. */
  readonly workers?: WorkerPool;
}

export interface Simulation {
  /** Runs to the end. Failures of the simulated system are in the report; it rejects only for errors of the simulator itself. */
  run(options?: PooledRunOptions): Promise<RunReport>;
}
