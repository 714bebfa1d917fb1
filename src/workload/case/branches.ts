/** Steps of a case that run side by side: a thread hands each branch to another one, and waits for what they gave. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { vpn } from '../../base/units.js';
import { threadsBeside } from '../../case/blockThreads.js';
import type { Step } from '../../case/opSchemas.js';
import type { Steps } from '../../sim/steps.js';
import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import type { HostContext } from '../workload.js';
import { type BranchJob, type BranchResult, jobOf, merge, resultOf } from './branchJob.js';
import { CaseMisuse, type CaseThread } from './caseThread.js';
import type { Branches } from './runSteps.js';

const NO_DEVICE = -1;
const NO_PAGE = vpn(0);

type ToBranch = { readonly kind: 'run'; readonly job: BranchJob } | { readonly kind: 'end' | 'go' };

type ToParent =
  | { readonly kind: 'barrier'; readonly thread: number }
  | { readonly kind: 'done'; readonly thread: number; readonly result: BranchResult };

/** Each thread reads the pipe of its number: it never waits for its parent and for branches of its own at once. */
function* send(host: HostContext, pipe: number, message: ToBranch | ToParent): Steps<void> {
  host.payload.put(message);
  yield* host.ioctl(IoctlRequest.pipeWrite, NO_DEVICE, NO_PAGE, 0, pipe, 0);
}

/** While it waits the thread does nothing, so that a pause need not wait for it. */
function* receive<T>(host: HostContext, pipe: number): Steps<T> {
  host.gate.leave();
  yield* host.ioctl(IoctlRequest.pipeRead, NO_DEVICE, NO_PAGE, 0, pipe, 0);
  const message = host.payload.get<T>();
  yield* host.gate.rejoin();
  assert(message !== undefined, 'an empty message');
  return message;
}

/** One thread's side of the blocks that it comes to, and of the block that it is a branch of. */
export class BranchCalls implements Branches {
  /** Of processes that `repeat_processes` ran, 0 for those without a failed step. */
  readonly exits: number[] = [];

  constructor(
    /** The number of this thread. */
    private readonly self: number,
    /** The thread of the block around; null for the first thread. */
    private readonly parent: number | null,
  ) {}

  *concurrent(thread: CaseThread, branches: readonly (readonly Step[])[]): Steps<void> {
    let free = thread.firstFree;
    const jobs = branches.map((steps): PlacedJob => {
      const placed = { on: free, job: jobOf(thread, steps, thread.home, this.self, free + 1, false) };
      free += 1 + threadsBeside(steps);
      return placed;
    });
    yield* this.runJobs(thread, jobs);
  }

  /** Forks them all first, so that none starts late. */
  *processes(thread: CaseThread, count: number, steps: readonly Step[]): Steps<void> {
    const jobs: PlacedJob[] = [];
    const width = 1 + threadsBeside(steps);
    for (let i = 0; i < count; i++) {
      const process = yield* thread.enter(undefined);
      const { errno, a } = yield* thread.host.ioctl(IoctlRequest.fork, NO_DEVICE, NO_PAGE, 0, 0, 0);
      if (errno !== Errno.OK) throw new CaseMisuse(`process ${i} of ${count} cannot be forked`);
      const name = processName(this.self, i);
      thread.addProcess(name, process, a);
      const on = thread.firstFree + i * width;
      jobs.push({ on, job: jobOf(thread, steps, name, this.self, on + 1, true) });
    }
    const results = yield* this.runJobs(thread, jobs);
    for (let i = 0; i < count; i++) thread.processes.delete(processName(this.self, i));
    this.exits.push(...results.map(({ exit }) => exit));
  }

  *barrier({ host }: CaseThread): Steps<void> {
    // The first thread is alone when it is not waiting for others.
    if (this.parent === null) return;
    yield* send(host, this.parent, { kind: 'barrier', thread: this.self });
    yield* receive<ToBranch>(host, this.self);
  }

  /** Results in the order of the jobs, however they came. */
  private *runJobs(thread: CaseThread, jobs: readonly PlacedJob[]): Steps<BranchResult[]> {
    yield* thread.leave();
    for (const { on, job } of jobs) yield* send(thread.host, on, { kind: 'run', job });
    const done = new Map<number, BranchResult>();
    let waiting: number[] = [];
    while (done.size < jobs.length) {
      const message = yield* receive<ToParent>(thread.host, this.self);
      if (message.kind === 'barrier') waiting.push(message.thread);
      else done.set(message.thread, message.result);
      if (waiting.length > 0 && waiting.length + done.size === jobs.length) {
        for (const other of waiting) yield* send(thread.host, other, { kind: 'go' });
        waiting = [];
      }
    }
    return jobs.map(({ on, job }) => this.take(thread, job, done.get(on)));
  }

  private take(thread: CaseThread, job: BranchJob, result: BranchResult | undefined): BranchResult {
    assert(result !== undefined, 'a thread gave no result');
    if (result.misuse !== null) throw new CaseMisuse(result.misuse);
    merge(thread, job, result);
    this.exits.push(...result.exits);
    return result;
  }
}

interface PlacedJob {
  /** Number of the thread that does it. */
  readonly on: number;
  readonly job: BranchJob;
}

/** Ends all other threads; nothing runs on them. */
export function* endThreads(host: HostContext, threads: number): Steps<void> {
  for (let other = 1; other < threads; other++) yield* send(host, other, { kind: 'end' });
}

/** What a thread other than the first does: takes jobs until it is told to end. */
export function* serveBranches(
  host: HostContext,
  self: number,
  makeThread: (job: BranchJob) => CaseThread,
  run: (thread: CaseThread, job: BranchJob, calls: BranchCalls) => Steps<BranchOutcome>,
): Steps<void> {
  for (;;) {
    const message = yield* receive<ToBranch>(host, self);
    if (message.kind !== 'run') return;
    const { job } = message;
    const thread = makeThread(job);
    const calls = new BranchCalls(self, job.parent);
    const outcome = yield* run(thread, job, calls);
    yield* thread.leave();
    if (job.exits) yield* exitProcess(thread, job.home);
    const result = { ...resultOf(thread), ...outcome, exits: calls.exits };
    yield* send(host, job.parent, { kind: 'done', thread: self, result });
  }
}

/** How the steps of a branch ended. */
export interface BranchOutcome {
  /** 0, or 1 where a step failed. */
  readonly exit: number;
  readonly misuse: string | null;
}

/** Not a name that a case can say. */
function processName(forker: number, index: number): string {
  return `process ${index} of ${forker}`;
}

function* exitProcess(thread: CaseThread, name: string): Steps<void> {
  const process = thread.processes.get(name);
  // It may have ended itself.
  if (process === undefined) return;
  yield* thread.host.ioctl(IoctlRequest.exit, NO_DEVICE, NO_PAGE, 0, process.mm, 0);
  thread.processes.delete(name);
}
