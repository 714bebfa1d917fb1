/** How much simulated memory a workload's buffers take. */

import { pagesFor } from '../base/units.js';
import type { PlacedWorkload } from './scenarioChecks.js';

/** Every element that a kernel computes with: a 32-bit float or counter. */
const ELEMENT_BYTES = 4;

/** Pages of one thread's buffers, null for what was recorded: what it touches shows only when it runs. */
export function workloadPages(workload: PlacedWorkload['workload']): number | null {
  switch (workload.kind) {
    case 'saxpy':
      return 2 * pagesFor(workload.elements * ELEMENT_BYTES);
    case 'jacobi':
      return 2 * pagesFor(workload.rows * workload.columns * ELEMENT_BYTES);
    case 'histogram':
      return pagesFor(workload.samples * ELEMENT_BYTES) + pagesFor(workload.bins * ELEMENT_BYTES);
    case 'pattern':
    case 'invalidate':
      return workload.size;
    case 'join-leave':
    case 'events':
      return 0;
    case 'trace':
    case 'accesses':
      return null;
  }
}
