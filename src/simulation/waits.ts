/** What the tasks of an actor wait for: for hangs and crash reports. */

import type { Scheduler } from '../sim/scheduler.js';
import type { ActorId } from '../sim/task.js';
import { describeWaits } from '../sim/waitGraph.js';

/** One line per blocked task of the actor that serves somebody, with the tasks that stand in its way. */
export function waitsOf(sched: Scheduler, actor: ActorId): string[] {
  return describeWaits([...sched.tasks].filter((task) => task.actor === actor));
}
