/** The steps at which a loop of the protocol begins another round: where a run that gets nowhere is back where it was. */

import { CpuStep } from '../actors/cpuThread.js';
import { DeviceStep } from '../device/deviceStep.js';
import { DriverStep } from '../driver/driverStep.js';
import { GpuSvmStep } from '../drm/gpusvm/gpusvmStep.js';
import { PagemapStep } from '../drm/pagemap/pagemapStep.js';
import { FaultStep } from '../mm/fault/fault.js';
import { MigrateStep } from '../mm/migrate/migrateUnmap.js';
import { HmmStep } from '../mm/mirror/hmm.js';
import type { StepId } from '../sim/steps.js';

export const roundSteps: ReadonlySet<StepId> = new Set([
  DriverStep.fault,
  DriverStep.retry,
  PagemapStep.evict,
  PagemapStep.evictRetry,
  GpuSvmStep.getPagesRetry,
  HmmStep.rangeFault,
  MigrateStep.collect,
  MigrateStep.finalize,
  FaultStep.cpuFault,
  FaultStep.handle,
]);

/** A program's access that faulted; the page is the argument of that position. */
export const faultSteps: ReadonlyMap<StepId, number> = new Map([
  [CpuStep.fault, 0],
  [DeviceStep.contextBlocked, 1],
]);

/** A round that ends since it is too early: it comes again until time has passed, which no state shows. */
export const tooEarlyStep: StepId = PagemapStep.timeslice;
