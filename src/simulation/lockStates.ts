/** Which locks are held and waited for at one moment, worked out from what tasks hold and wait for. */

import { RwLock } from '../sim/rwLock.js';
import type { Task } from '../sim/task.js';
import { taskLabel } from '../sim/waitGraph.js';

export interface LockState {
  readonly name: string;
  /** Null while nobody has it. */
  readonly mode: 'read' | 'write' | null;
  readonly holders: readonly string[];
  readonly waiters: readonly string[];
}

/** The ones with most waiters first; of the same number in the order of their names. */
export function lockStates(tasks: Iterable<Task>): LockState[] {
  const locks = new Map<string, { mode: 'read' | 'write' | null; holders: string[]; waiters: string[] }>();
  const entry = (name: string) => {
    const known = locks.get(name) ?? { mode: null, holders: [], waiters: [] };
    locks.set(name, known);
    return known;
  };
  for (const task of tasks) {
    for (const { lock, mode } of task.held) {
      const held = entry(lock.name);
      held.mode = mode;
      held.holders.push(taskLabel(task));
    }
    const { waitingFor } = task;
    // Queues have names too, but nobody has a queue.
    if (waitingFor instanceof RwLock) entry(waitingFor.name).waiters.push(taskLabel(task));
  }
  return [...locks]
    .map(([name, state]) => ({ name, ...state }))
    .sort((a, b) => b.waiters.length - a.waiters.length || (a.name < b.name ? -1 : 1));
}
