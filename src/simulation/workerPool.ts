/** Workers that wait for an actor to run: starting one takes far longer than a short run, so runs that follow one another share them. */

import { Worker } from 'node:worker_threads';
import { tuneEngine } from './engine.js';
import { moduleWorkerFile, workerFile } from './workerFile.js';

/** The entries in `workers/`. */
export type WorkerKind = 'coordinator' | 'device' | 'cpuThread';

/** Idle workers keep the process alive no longer than it wants to. */
export class WorkerPool {
  private readonly idle = new Map<WorkerKind, Worker[]>();

  /**
   * A module of the user's shares svmsim's modules with the worker that loads it, which then is not the bundled one and starts more slowly. The Coordinator
   * loads policies and drivers; the others need the module only for programs.
   */
  constructor(
    private readonly loadsModule = false,
    private readonly runsPrograms = false,
  ) {}

  /** A worker that runs no actor; nobody listens to its events. */
  take(kind: WorkerKind): Worker {
    const worker =
      this.idle.get(kind)?.pop() ??
      startWorker(kind, kind === 'coordinator' ? this.loadsModule : this.runsPrograms);
    worker.removeAllListeners('error');
    worker.removeAllListeners('exit');
    worker.ref();
    return worker;
  }

  /** Only workers whose actor has come to its end, and that nobody listens to any more. */
  give(kind: WorkerKind, worker: Worker): void {
    worker.removeAllListeners('error');
    worker.removeAllListeners('exit');
    worker.on('error', () => this.forget(kind, worker));
    worker.on('exit', () => this.forget(kind, worker));
    worker.unref();
    const others = this.idle.get(kind);
    if (others === undefined) this.idle.set(kind, [worker]);
    else others.push(worker);
  }

  private forget(kind: WorkerKind, worker: Worker): void {
    const left = this.idle.get(kind)?.filter((one) => one !== worker) ?? [];
    this.idle.set(kind, left);
  }
}

/**
 * In megabytes. What a device or a CPU thread makes is soon forgotten, and it makes little: the engine's own limit of 48 would be reached all the same, and
 * be resident with each of them.
 */
const SMALL_HEAP = { maxYoungGenerationSizeMb: 12 };

function startWorker(kind: WorkerKind, sharesModules: boolean): Worker {
  tuneEngine();
  const file = sharesModules ? moduleWorkerFile(kind) : workerFile(kind);
  return new Worker(file, { name: kind, ...(kind === 'coordinator' ? {} : { resourceLimits: SMALL_HEAP }) });
}
