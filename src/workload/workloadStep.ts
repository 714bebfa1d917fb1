/** The named steps of workloads: where kernels and programs let others in. */

import { defineStep } from '../sim/steps.js';

export const WorkloadStep = {
  /** A computing kernel or its host program is done with one page. */
  page: defineStep('workload.page'),
  /** One load or store by a pattern is done. */
  access: defineStep('workload.access'),
  /** One system call of a host program is done. */
  call: defineStep('workload.call'),
  /** One operation of a load: the number of its class among `loadClasses`, and how long it took. */
  load: defineStep('workload.load', 'load', 'ns'),
  /** A part of a plain computation for comparison is done. */
  compute: defineStep('workload.compute'),
} as const;
