/** A driver of the user's own beside the reference driver: what the kernel offers it, and what it has to offer. */

import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import type { SvmVm } from '../driver/svmVm.js';
import type { FaultKind } from '../memory/faultKind.js';
import type { Kernel } from '../mm/kernel.js';
import type { Hmm } from '../mm/mirror/hmm.js';
import type { MmCalls } from '../mm/mmCalls.js';
import type { Mm } from '../mm/process/mm.js';
import type { Steps } from '../sim/steps.js';
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

/** A fault as a GPU raised it: no lock is held, and nothing has been decided. */
export interface RaisedFault {
  /** The mirror of the process whose page it is. */
  readonly vm: SvmVm;
  readonly gpu: GpuHandle;
  readonly page: Vpn;
  readonly write: boolean;
  readonly kind: FaultKind;
}

/** Has the fault served by who is next: another driver of the user's own, or the reference driver. May be called again. Errors as serveFault. */
export type ServeByDefault = () => Steps<Errno>;

/**
 * What has no device of its own to simulate, such as a network card that reads a process's memory: it registers calls, and subscribes to the
 * invalidations of the address spaces that it mirrors. Or one that serves the faults of the GPUs in its own way.
 */
export interface OwnDriver extends OpenFiles {
  /** Its calls, by numbers from `OWN_REQUEST_FIRST` on. */
  register(ioctls: IoctlTable): void;
  /** How many interval notifiers it has registered with a process: at rest a check compares that with what is registered. */
  notifiersOf(mm: Mm): number;
  /**
   * Serves the faults of GPUs in place of the reference driver, or around it. Each fault is a task of its own; its result goes to the device. OK: the
   * access is tried again, and faults again where the page is still not mapped. Errors: -EFAULT, -EPERM, -EACCES, -ENOMEM, -EBUSY, -ENODEV; the
   * context ends with them.
   */
  serveFault?(fault: RaisedFault, byDefault: ServeByDefault): Steps<Errno>;
}

/** Asks each driver that serves faults, the first one outermost, and at last the reference driver. */
export function serveFaultBy(
  drivers: readonly OwnDriver[],
  fault: RaisedFault,
  reference: ServeByDefault,
): Steps<Errno> {
  const serve = drivers.reduceRight<ServeByDefault>((next, driver) => {
    const { serveFault } = driver;
    return serveFault === undefined ? next : () => serveFault.call(driver, fault, next);
  }, reference);
  return serve();
}

/** Called once, while the machine is put together: no process runs yet. */
export type DriverMaker = (services: DriverServices) => OwnDriver;
