/** Steps of a case that run side by side: the first thread hands each branch to another one, and waits for what they gave. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { vpn } from '../../base/units.js';
import type { Step } from '../../case/opSchemas.js';
import type { StepResult } from '../../case/stepResult.js';
import { IoctlRequest } from '../../mm/ioctlRequest.js';
import type { Steps } from '../../sim/steps.js';
import type { HostContext } from '../workload.js';
import {
  type CaseBuffer,
  CaseMisuse,
  type CaseProcess,
  type CaseThread,
  MAIN_PROCESS,
} from './caseThread.js';
import type { Branches } from './runSteps.js';

/** The pipe in which a thread reads: the first thread's is 0. */
const FIRST_THREAD = 0;
const NO_DEVICE = -1;
const NO_PAGE = vpn(0);

/** A process with its buffers, as plain data. */
interface SentProcess extends Omit<CaseProcess, 'buffers'> {
  readonly name: string;
  readonly buffers: readonly (readonly [name: string, buffer: CaseBuffer])[];
}

/** What a thread is to do. */
export interface BranchJob {
  readonly steps: readonly Step[];
  readonly processes: readonly SentProcess[];
  readonly files: readonly (readonly [name: string, file: number])[];
  readonly bos: readonly (readonly [name: string, handle: number])[];
  readonly home: string;
  readonly round: number;
  /** The thread ends the process when it is done. */
  readonly exits: boolean;
}

type ToThread = { readonly kind: 'run'; readonly job: BranchJob } | { readonly kind: 'end' | 'go' };

type ToFirst =
  | { readonly kind: 'barrier'; readonly thread: number }
  | {
      readonly kind: 'done';
      readonly results: Readonly<Record<string, StepResult>>;
      readonly processes: readonly SentProcess[];
      readonly readerResults: readonly number[];
      /** 0, or 1 where a step failed. */
      readonly exit: number;
      readonly misuse: string | null;
    };

/** How a branch ended. */
export interface BranchEnd {
  readonly exit: number;
  readonly misuse: string | null;
}

function* send(host: HostContext, pipe: number, message: ToThread | ToFirst): Steps<void> {
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

/** The first thread's side. */
export class BranchCalls implements Branches {
  /** Of processes that `repeat_processes` ran, 0 for those without a failed step. */
  readonly exits: number[] = [];

  constructor(private readonly threads: number) {}

  *concurrent(thread: CaseThread, branches: readonly (readonly Step[])[]): Steps<void> {
    const jobs = branches.map((steps) => jobOf(thread, steps, thread.home, false));
    yield* this.runJobs(thread, jobs);
  }

  /** Forks them all first, so that none starts late. */
  *processes(thread: CaseThread, count: number, steps: readonly Step[]): Steps<void> {
    const jobs: BranchJob[] = [];
    for (let i = 0; i < count; i++) {
      const process = yield* thread.enter(undefined);
      const { errno, a } = yield* thread.host.ioctl(IoctlRequest.fork, NO_DEVICE, NO_PAGE, 0, 0, 0);
      if (errno !== Errno.OK) throw new CaseMisuse(`process ${i} of ${count} cannot be forked`);
      const name = `process${i}`;
      thread.processes.set(name, { ...process, mm: a, buffers: new Map(process.buffers) });
      jobs.push(jobOf(thread, steps, name, true));
    }
    const ends = yield* this.runJobs(thread, jobs);
    for (let i = 0; i < count; i++) thread.processes.delete(`process${i}`);
    this.exits.push(...ends.map(({ exit }) => exit));
  }

  /** Ends all other threads; nothing runs on them. */
  *end(thread: CaseThread): Steps<void> {
    for (let other = 1; other < this.threads; other++) yield* send(thread.host, other, { kind: 'end' });
  }

  *barrier(): Steps<void> {
    // The first thread is alone when it is not waiting for others.
  }

  private *runJobs(thread: CaseThread, jobs: readonly BranchJob[]): Steps<BranchEnd[]> {
    if (jobs.length >= this.threads) throw new CaseMisuse(`there are only ${this.threads} threads`);
    for (const [i, job] of jobs.entries()) yield* send(thread.host, 1 + i, { kind: 'run', job });
    const ends: BranchEnd[] = [];
    let waiting: number[] = [];
    while (ends.length < jobs.length) {
      const message = yield* receive<ToFirst>(thread.host, FIRST_THREAD);
      if (message.kind === 'barrier') waiting.push(message.thread);
      else ends.push(merge(thread, message));
      if (waiting.length > 0 && waiting.length + ends.length === jobs.length) {
        for (const other of waiting) yield* send(thread.host, other, { kind: 'go' });
        waiting = [];
      }
    }
    const misuse = ends.find((end) => end.misuse !== null)?.misuse ?? null;
    if (misuse !== null) throw new CaseMisuse(misuse);
    return ends;
  }
}

/** The other threads' side: takes jobs until it is told to end. */
export class BranchServer {
  constructor(
    private readonly host: HostContext,
    private readonly index: number,
  ) {}

  *serve(run: (job: BranchJob) => Steps<{ thread: CaseThread } & BranchEnd>): Steps<void> {
    for (;;) {
      const message = yield* receive<ToThread>(this.host, this.index);
      if (message.kind !== 'run') return;
      const { thread, exit, misuse } = yield* run(message.job);
      if (message.job.exits) yield* this.exitProcess(thread, message.job.home);
      yield* send(this.host, FIRST_THREAD, {
        kind: 'done',
        results: thread.results,
        processes: sentProcesses(thread),
        readerResults: thread.readerResults,
        exit,
        misuse,
      });
    }
  }

  *barrier(): Steps<void> {
    yield* send(this.host, FIRST_THREAD, { kind: 'barrier', thread: this.index });
    yield* receive<ToThread>(this.host, this.index);
  }

  private *exitProcess(thread: CaseThread, name: string): Steps<void> {
    const { mm } = thread.process(name);
    yield* thread.enter(MAIN_PROCESS);
    yield* thread.host.ioctl(IoctlRequest.exit, NO_DEVICE, NO_PAGE, 0, mm, 0);
    thread.processes.delete(name);
  }
}

/** Makes a thread know what its job says. */
export function adopt(thread: CaseThread, job: BranchJob): void {
  thread.processes.clear();
  for (const { name, mm, nextStart, buffers } of job.processes) {
    thread.processes.set(name, { mm, nextStart, buffers: new Map(buffers) });
  }
  for (const [name, file] of job.files) thread.files.set(name, file);
  for (const [name, handle] of job.bos) thread.bos.set(name, handle);
  thread.home = job.home;
  thread.round = job.round;
}

function jobOf(thread: CaseThread, steps: readonly Step[], home: string, exits: boolean): BranchJob {
  return {
    steps,
    processes: sentProcesses(thread),
    files: [...thread.files],
    bos: [...thread.bos],
    home,
    round: thread.round,
    exits,
  };
}

function sentProcesses(thread: CaseThread): SentProcess[] {
  return [...thread.processes].map(([name, { mm, nextStart, buffers }]) => ({
    name,
    mm,
    nextStart,
    buffers: [...buffers],
  }));
}

/** What a branch mapped exists for all from now on. */
function merge(thread: CaseThread, done: ToFirst & { kind: 'done' }): BranchEnd {
  Object.assign(thread.results, done.results);
  thread.readerResults.push(...done.readerResults);
  for (const { name, buffers } of done.processes) {
    const process = thread.processes.get(name);
    if (process === undefined) continue;
    for (const [buffer, place] of buffers) process.buffers.set(buffer, place);
  }
  return { exit: done.exit, misuse: done.misuse };
}
