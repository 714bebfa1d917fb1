/** Pools of worker threads in which independent simulations run, several at a time. */

import { Piscina } from 'piscina';
import { workerFile } from '../simulation/workerFile.js';
import type { TaskPool } from './cliHost.js';

/** The entries in `workers/` that take tasks. */
export type TaskWorker = 'sweep' | 'case' | 'explore';

export function openTaskPool<Task, Report>(worker: TaskWorker, jobs: number): TaskPool<Task, Report> {
  const pool = new Piscina<Task, Report>({
    filename: workerFile(worker),
    minThreads: jobs,
    maxThreads: jobs,
  });
  return {
    run: (task, signal) => pool.run(task, { signal }),
    close: () => pool.destroy(),
  };
}
