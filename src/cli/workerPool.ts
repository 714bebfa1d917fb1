/** Pools of worker threads in which independent simulations run, several at a time. */

import { Piscina } from 'piscina';
import { moduleWorkerFile, workerFile } from '../simulation/workerFile.js';
import type { TaskPool } from './cliHost.js';
import { reportIn, type TaskAnswer } from './taskAnswer.js';

/** The entries in `workers/` that take tasks. */
export type TaskWorker = 'sweep' | 'case' | 'explore';

/** `loadsModules`: tasks name modules of the user's own, which must find the modules of svmsim that their worker uses. */
export function openTaskPool<Task, Report>(
  worker: TaskWorker,
  jobs: number,
  loadsModules = false,
): TaskPool<Task, Report> {
  const pool = new Piscina<Task, TaskAnswer<Report>>({
    filename: loadsModules ? moduleWorkerFile(worker) : workerFile(worker),
    minThreads: jobs,
    maxThreads: jobs,
  });
  return {
    run: async (task, signal) => reportIn(await pool.run(task, { signal })),
    close: () => pool.destroy(),
  };
}
