/** A recorded trace of memory calls, and the part of it that is one address space. */

import type { MmEvent } from './mmCall.js';

export interface MmTrace {
  readonly fileName: string;
  /**
   * In an order in which the calls can have taken effect: each stands where it started, but one that hands out memory (mmap, mremap, brk)
   * or replaces all of it (exec) stands where it ended. So `atUs` may step back where calls of several threads overlap.
   */
  readonly events: readonly MmEvent[];
  /** Every thread with a call or an end in the trace, in the order of its first one. */
  readonly pids: readonly number[];
  /** How often each call stands in the trace without being an event: it does not concern memory, or its result is unknown. */
  readonly ignored: ReadonlyMap<string, number>;
  /** Of these, the calls that may have changed the address space. */
  readonly withoutResult: number;
  /** Lines whose time is before that of the line above, of another thread: each thread's own times never fall. */
  readonly backwards: number;
}

/** One address space, from its exec (or the beginning of the trace) on. */
export interface MmProgram {
  readonly fileName: string;
  /** The process that the program is; the first of `pids`. */
  readonly leader: number;
  /** The leader and its threads, in the order of their birth. */
  readonly pids: readonly number[];
  readonly events: readonly MmEvent[];
  /** Of the whole trace: {@link MmTrace.withoutResult}. */
  readonly withoutResult: number;
  readonly dropped: {
    /** Events of other address spaces, and of the leader up to its last exec. */
    readonly events: number;
    /** Threads that have events, none of which are the program's. */
    readonly pids: readonly number[];
  };
}

/**
 * The first process of the trace from after its last successful exec, with the threads that it and they start. Forked and vforked children
 * are dropped; what a vforked child calls before it execs, in the address space that it borrows, is dropped with it.
 * A thread whose birth is not in the trace (one recorded without its clone calls) cannot be told from a process, and is dropped too.
 */
export function mainProgram(trace: MmTrace): MmProgram {
  const leader = trace.pids[0] ?? 0;
  const alive = new Set([leader]);
  const pids = new Set([leader]);
  const events: MmEvent[] = [];
  for (let i = indexAfterLastExec(trace.events, leader); i < trace.events.length; i++) {
    const event = trace.events[i];
    if (event === undefined || !alive.has(event.pid)) continue;
    events.push(event);
    const { call } = event;
    if (call.kind === 'thread' && call.child !== null) {
      alive.add(call.child);
      pids.add(call.child);
    }
    // The number may come back as another process.
    if (call.kind === 'exit') alive.delete(event.pid);
  }
  return {
    fileName: trace.fileName,
    leader,
    pids: [...pids],
    events,
    withoutResult: trace.withoutResult,
    dropped: { events: trace.events.length - events.length, pids: pidsWithoutEventsIn(trace.events, events) },
  };
}

function indexAfterLastExec(events: readonly MmEvent[], pid: number): number {
  return (
    1 +
    events.findLastIndex(({ pid: by, call, errno }) => by === pid && call.kind === 'exec' && errno === null)
  );
}

function pidsWithoutEventsIn(all: readonly MmEvent[], kept: readonly MmEvent[]): readonly number[] {
  const keeps = new Set(kept.map(({ pid }) => pid));
  return [...new Set(all.map(({ pid }) => pid))].filter((pid) => !keeps.has(pid));
}
