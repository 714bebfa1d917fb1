/** A task: one generator on its way through the protocol, with what it holds and what it waits for. */

import type { Brand } from '../base/brand.js';
import type { LockClass } from './lockOrder.js';
import { PARK, type StepId, type Steps } from './steps.js';

/** Index of an actor in the run: 0 is the Coordinator, then the devices, then the CPU threads. */
export type ActorId = Brand<number, 'ActorId'>;

export function actorId(index: number): ActorId {
  return index as ActorId;
}

/** Anything a task can wait for; a deadlock report asks it who stands in the way. */
export interface Waitable {
  /** In words, for the wait-for graph: "mmap_lock for write". */
  describeWait(task: Task): string;
  /** Tasks whose progress would end the wait; empty where that is not known (a message, time). */
  holders(): readonly Task[];
  /** What is waited for is a lock; where it does not say so, it is none. */
  readonly isLock?: boolean;
}

/** A lock held by a task; `lock` is compared by identity when it is released. */
export interface HeldLock {
  readonly lock: Waitable & { readonly name: string };
  readonly mode: 'read' | 'write';
  readonly lockClass: LockClass;
}

export type TaskState = 'runnable' | 'running' | 'blocked' | 'done';

/** Made by `Scheduler.spawn`. */
export class Task {
  state: TaskState = 'runnable';
  /** Set while blocked. */
  waitingFor: Waitable | null = null;
  readonly held: HeldLock[] = [];
  /** Of `LockMap.bit`: what it is inside of. */
  maps = 0;
  /** Folio locks that it holds: any number, of which only the first and the last matter to the order of locks. */
  folioLocks = 0;
  /** The last named step, kept for reports of what a task was doing. */
  lastStep: StepId = PARK;
  /** Position in the virtual executor's runnable set; -1 when it is not in it. */
  runnableIndex = -1;
  /** What code of the user's own it is in, in words; null for none. For reports. */
  ownCode: string | null = null;
  /** Its neighbours among the tasks that live, for the list of them alone. */
  older: Task | null = null;
  younger: Task | null = null;
  /** Modelled work that it has done inside an atomic section, in nanoseconds: passes before it goes on. */
  owedNs = 0;
  /** Called once with the outcome; exactly one of the two arguments is meaningful. */
  onDone: ((error: Error | null) => void) | null = null;
  /** Whose messages it takes to its own actor; null for a task that is no pump. */
  pumpsFrom: ActorId | null = null;
  /** Begins the work of a servant; null for a task that is run once. */
  beginAgain: (() => Steps<unknown>) | null = null;

  constructor(
    /** From 1; lock ownership words in shared memory hold it. */
    readonly id: number,
    readonly actor: ActorId,
    readonly name: string,
    /** What it does; a servant's can be begun anew. */
    public body: Steps<unknown>,
    /** Serves others and may be blocked at the end of a run (mailbox pumps, workers). */
    public daemon: boolean,
  ) {}
}
