/** Code of the user's own that takes part in a run: policies, parts of drivers, drivers, programs. */

import type { DriverMaker } from '../actors/ownDriver.js';
import type { Policies } from '../driver/policies.js';
import type { Programs } from '../workload/ownProgram.js';

/** What is left out is svmsim's own. Functions: they reach worker threads only by way of a module, see `policyFile` of the configuration. */
export interface Extensions extends Policies {
  /** Drivers beside the reference driver. */
  readonly drivers?: readonly DriverMaker[];
  /** Programs of workloads of the kind `program`, by name. */
  readonly programs?: Programs;
}
