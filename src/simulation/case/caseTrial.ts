/** A run of a case that is not judged by its expectations: allocations may fail, and somebody hears what each step gave. */

import { AllocSite, type FailureInjector } from '../../memory/failureInjector.js';
import type { StepObserver } from '../../sim/scheduler.js';
import type { AfterStep } from '../../workload/case/runSteps.js';
import type { VirtualFleet } from '../virtualFleet.js';

/** The program goes on whatever its steps give; a step that needs what an earlier one did not make is left out. */
export interface CaseTrial {
  /** Asked at every allocation of the machine. */
  readonly injector: FailureInjector;
  /** Called when a step without steps of its own has ended, on whichever thread. */
  readonly afterStep: AfterStep;
  /** Asked after each step: false for as long as the run is one that was checked before. */
  readonly isChecked?: () => boolean;
  /** Asked after each step of the case: true once nothing more is to be learnt, and the program is to come to its end. */
  readonly isOver?: () => boolean;
  readonly observer?: StepObserver;
}

/** Lets every allocator of the machine ask: those of the mm and of the drivers' objects, I/O addresses, and device memory. */
export function injectEverywhere({ coordinator, devices }: VirtualFleet, injector: FailureInjector): void {
  const { kernel, gpus } = coordinator.coordinator;
  kernel.injectFailures(injector);
  for (const { iommu } of gpus) iommu.shouldFail = () => injector.shouldFail(AllocSite.IoPage);
  for (const { actor } of devices)
    actor.gpu.vram.shouldFail = () => injector.shouldFail(AllocSite.DevicePage);
}
