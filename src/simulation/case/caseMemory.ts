/** How much memory the machine of a case has: known before anything is allocated. */

import { PAGE_BYTES } from '../../base/units.js';
import type { Case } from '../../case/caseSchema.js';
import { spannedPages } from '../../memory/physicalLayout.js';
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
  const transferBytes = config.workloads.length * (config.machine?.payloadBytes ?? 0);
  return { physicalBytes: spannedPages(layoutSpec(config)) * PAGE_BYTES, transferBytes };
}
