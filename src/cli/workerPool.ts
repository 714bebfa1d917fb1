/** Pools of worker threads in which independent simulations run, several at a time. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { TaskPool } from './cliHost.js';

/** The entries in `workers/` that take tasks. */
export type TaskWorker = 'sweep' | 'case' | 'explore';

/** Workers always start from compiled JavaScript, also when the caller runs from TypeScript sources. */
function workerFile(worker: TaskWorker): string {
  const beside = fileURLToPath(new URL(`../../workers/${worker}.js`, import.meta.url));
  if (existsSync(beside)) return beside;
  return fileURLToPath(new URL(`../../dist/workers/${worker}.js`, import.meta.url));
}

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
