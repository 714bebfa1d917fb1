/** Who waits for what, in words: for deadlocks, hangs and crash reports. */

import type { Scheduler } from '../sim/scheduler.js';
import { stepDefinition } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';

/** One line per blocked task of the actor that serves somebody, with the tasks that stand in its way. */
export function describeWaits(sched: Scheduler, actor: ActorId): string[] {
  const lines: string[] = [];
  for (const task of sched.tasks) {
    if (task.actor !== actor || task.daemon || task.waitingFor === null) continue;
    const holders = task.waitingFor.holders().map((holder) => holder.name);
    const held = holders.length === 0 ? '' : `, held by ${holders.join(', ')}`;
    const after = stepDefinition(task.lastStep).name;
    lines.push(`${task.name} waits for ${task.waitingFor.describeWait(task)}${held} (after ${after})`);
  }
  return lines;
}
