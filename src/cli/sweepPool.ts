/** Runs the simulations of a sweep in a pool of worker threads. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { RunReport } from '../simulation/runReport.js';
import type { SweepPool, SweepTask } from './cliHost.js';

/** Workers always start from compiled JavaScript, also when the caller runs from TypeScript sources. */
function workerFile(): string {
  const beside = fileURLToPath(new URL('../../workers/sweep.js', import.meta.url));
  return existsSync(beside) ? beside : fileURLToPath(new URL('../../dist/workers/sweep.js', import.meta.url));
}

export function openSweepPool(jobs: number): SweepPool {
  const pool = new Piscina<SweepTask, RunReport>({
    filename: workerFile(),
    minThreads: jobs,
    maxThreads: jobs,
  });
  return {
    run: (task, signal) => pool.run(task, { signal }),
    close: () => pool.destroy(),
  };
}
