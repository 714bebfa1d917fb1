/** A driver of the user's own beside the reference driver: what the kernel offers it, and what it has to offer. */

import type { GpuHandle } from '../driver/gpuHandle.js';
import type { Kernel } from '../mm/kernel.js';
import type { Hmm } from '../mm/mirror/hmm.js';
import type { MmCalls } from '../mm/mmCalls.js';
import type { Mm } from '../mm/process/mm.js';
import type { IoctlTable } from './ioctl.js';
import type { OpenFiles } from './processService.js';

/** The parts of the machine that a driver works with. They live on the Coordinator's thread, and so does the driver. */
export interface DriverServices {
  /** Scheduler, memory, folios, page tables and what modelled work costs. */
  readonly kernel: Kernel;
  /** The memory calls of processes: faults, munmap, fork and so on. */
  readonly calls: MmCalls;
  /** The CPU's translations for those who mirror them. */
  readonly hmm: Hmm;
  /** The devices, which the reference driver serves. */
  readonly gpus: readonly GpuHandle[];
}

/**
 * What has no device of its own to simulate, such as a network card that reads a process's memory: it registers calls, and subscribes to the
 * invalidations of the address spaces that it mirrors.
 */
export interface OwnDriver extends OpenFiles {
  /** Its calls, by numbers from `OWN_REQUEST_FIRST` on. */
  register(ioctls: IoctlTable): void;
  /** How many interval notifiers it has registered with a process: at rest a check compares that with what is registered. */
  notifiersOf(mm: Mm): number;
}

/** Called once, while the machine is put together: no process runs yet. */
export type DriverMaker = (services: DriverServices) => OwnDriver;
