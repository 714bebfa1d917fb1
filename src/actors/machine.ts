/** All actors of one run on one thread, as those who look at the run, or bend it, reach them. */

import type { Scheduler } from '../sim/scheduler.js';
import type { Coordinator } from './coordinator.js';
import type { CpuThread } from './cpuThread.js';
import type { DeviceActor } from './deviceActor.js';

/** The parts of a running machine by actor. */
export interface Machine {
  readonly sched: Scheduler;
  readonly coordinator: Coordinator;
  /** In their order; none where the devices are test devices, which need no actor. */
  readonly devices: readonly DeviceActor[];
  readonly cpus: readonly CpuThread[];
}
