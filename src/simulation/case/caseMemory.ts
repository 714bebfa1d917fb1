/** How much memory the machine of a case has: known before anything is allocated. */

import { alignUp, PAGE_BYTES, PMD_PAGES } from '../../base/units.js';
import type { Case } from '../../case/caseSchema.js';
import { layoutSpec } from '../sharedBuffers.js';
import { caseMachine } from './caseMachine.js';

export interface CaseMemory {
  /** RAM and the memory of all devices, as they lie in the one array that holds both. */
  readonly physicalBytes: number;
  /** Transfer buffers of all threads. */
  readonly transferBytes: number;
}

export function caseMemory(one: Case): CaseMemory {
  const config = caseMachine(one, 'virtual', 0);
  const { ramPages, vram } = layoutSpec(config);
  const zones = [ramPages, ...vram.map(({ pages }) => pages)];
  // No zone begins at page 0, and none within an aligned block of another one.
  const pages = zones.reduce((sum, zone) => sum + alignUp(zone, PMD_PAGES), PMD_PAGES);
  const transferBytes = config.workloads.length * (config.machine?.payloadBytes ?? 0);
  return { physicalBytes: pages * PAGE_BYTES, transferBytes };
}
