/** What threads of a case tell one another: a branch to carry out with all that its steps may name, and what it gave. */

import type { Vpn } from '../../base/units.js';
import type { Step } from '../../case/opSchemas.js';
import type { StepResult } from '../../case/stepResult.js';
import type { BrokenStep, CaseBuffer, CaseThread } from './caseThread.js';

type Entries<K, V> = readonly (readonly [K, V])[];

/** A process with its buffers, as plain data. */
interface SentProcess {
  readonly name: string;
  readonly mm: number;
  readonly buffers: Entries<string, CaseBuffer>;
  readonly nextStarts: Entries<number, Vpn>;
}

/** All that has a name. */
interface SentNames {
  readonly processes: readonly SentProcess[];
  readonly files: Entries<string, number>;
  readonly bos: Entries<string, number>;
}

/** What a thread is to do. */
export interface BranchJob extends SentNames {
  readonly steps: readonly Step[];
  readonly home: string;
  readonly round: number;
  /** Who hears when it is done. */
  readonly parent: number;
  /** The first of the threads that blocks within the steps may use. */
  readonly firstFree: number;
  /** The thread ends the process when it is done; names that its steps give are its own. */
  readonly exits: boolean;
}

/** What the branch gave. */
export interface BranchResult extends SentNames {
  readonly results: Readonly<Record<string, StepResult>>;
  readonly readerResults: readonly number[];
  readonly broken: BrokenStep | null;
  /** 0, or 1 where a step failed. */
  readonly exit: number;
  /** Of processes of blocks within. */
  readonly exits: readonly number[];
  readonly misuse: string | null;
}

export function jobOf(
  thread: CaseThread,
  steps: readonly Step[],
  home: string,
  parent: number,
  firstFree: number,
  exits: boolean,
): BranchJob {
  return { ...sentNames(thread), steps, home, round: thread.round, parent, firstFree, exits };
}

/** Makes a thread know what its job says. */
export function adopt(thread: CaseThread, job: BranchJob): void {
  thread.processes.clear();
  for (const process of job.processes) takeProcess(thread, process);
  for (const [name, file] of job.files) thread.files.set(name, file);
  for (const [name, handle] of job.bos) thread.bos.set(name, handle);
  thread.home = job.home;
  thread.round = job.round;
  thread.firstFree = job.firstFree;
}

export function resultOf(thread: CaseThread): Omit<BranchResult, 'exit' | 'exits' | 'misuse'> {
  const { results, readerResults, broken } = thread;
  return { ...sentNames(thread), results, readerResults, broken };
}

/**
 * What a branch made or ended is so for all from now on, what it left alone stays as other branches left it. What a process of `repeat_processes` made
 * ends with it.
 */
export function merge(thread: CaseThread, job: BranchJob, done: BranchResult): void {
  for (const [label, result] of Object.entries(done.results)) thread.note(label, result);
  thread.readerResults.push(...done.readerResults);
  thread.broken ??= done.broken;
  if (job.exits) return;
  for (const { name, mm } of job.processes) {
    const isAlive = done.processes.some((process) => process.name === name && process.mm === mm);
    if (!isAlive && thread.processes.get(name)?.mm === mm) thread.processes.delete(name);
  }
  for (const process of done.processes) {
    const sent = job.processes.find(({ name, mm }) => name === process.name && mm === process.mm);
    if (sent === undefined) takeProcess(thread, process);
    else mergeProcess(thread, sent, process);
  }
  for (const [name, file] of changed(job.files, done.files)) thread.files.set(name, file);
  for (const [name, handle] of changed(job.bos, done.bos)) thread.bos.set(name, handle);
}

/** Not one that another branch has ended. */
function mergeProcess(thread: CaseThread, sent: SentProcess, process: SentProcess): void {
  const known = thread.processes.get(process.name);
  if (known?.mm !== process.mm) return;
  const left = new Set(process.buffers.map(([name]) => name));
  for (const [name] of sent.buffers) if (!left.has(name)) known.buffers.delete(name);
  const isSame = (a: CaseBuffer, b: CaseBuffer | undefined) =>
    a.start === b?.start && a.pages === b.pages && a.isGone === b.isGone;
  for (const [name, place] of changed(sent.buffers, process.buffers, isSame)) known.buffers.set(name, place);
  for (const [index, start] of changed(sent.nextStarts, process.nextStarts))
    known.nextStarts.set(index, start);
}

function changed<K, V>(
  before: Entries<K, V>,
  after: Entries<K, V>,
  isSame: (a: V, b: V | undefined) => boolean = (a, b) => a === b,
): Entries<K, V> {
  const old = new Map(before);
  return after.filter(([key, value]) => !isSame(value, old.get(key)));
}

function takeProcess(thread: CaseThread, { name, mm, buffers, nextStarts }: SentProcess): void {
  thread.processes.set(name, { mm, buffers: new Map(buffers), nextStarts: new Map(nextStarts) });
}

function sentNames({ processes, files, bos }: CaseThread): SentNames {
  return {
    processes: [...processes].map(([name, { mm, buffers, nextStarts }]) => ({
      name,
      mm,
      buffers: [...buffers],
      nextStarts: [...nextStarts],
    })),
    files: [...files],
    bos: [...bos],
  };
}
