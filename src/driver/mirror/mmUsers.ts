/** What a driver needs of the end of an address space: giving back a user's reference, the last of which tears it down. */

import type { Mm } from '../../mm/process/mm.js';
import type { Steps } from '../../sim/steps.js';

export interface MmUsers {
  /** @kernel mmput */
  mmput(mm: Mm): Steps<void>;
}
