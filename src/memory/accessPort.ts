/** How a load or store of a GPU context or a CPU thread reaches physical memory: translate, access, and fault where that fails. */

import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { Steps } from '../sim/steps.js';
import type { PhysicalMemory } from './physicalMemory.js';

/**
 * Usage: `const base = port.tryPage(page, true)`; at -1 `yield* port.fault(page, true)` and try again; otherwise access
 * `memory.words[base .. base + PAGE_WORDS)` and call `release()` before the next yield. Between a successful tryPage and release the
 * translation cannot be taken away: an invalidation waits.
 */
export interface AccessPort {
  readonly memory: PhysicalMemory;
  /** Index in 32-bit words of the page's first word, or -1 when the access faults. */
  tryPage(page: Vpn, write: boolean): number;
  release(): void;
  /** Raises the fault and waits until it is served: OK means try again; otherwise the access is illegal (-EFAULT, -EPERM, ...). */
  fault(page: Vpn, write: boolean): Steps<Errno>;
}

/** Gets hold of a page for one atomic section; a negative result is the errno of an illegal access, and then nothing is held. */
export function* holdPage(port: AccessPort, page: Vpn, write: boolean): Steps<number> {
  for (;;) {
    const base = port.tryPage(page, write);
    if (base >= 0) return base;
    const errno = yield* port.fault(page, write);
    if (errno !== Errno.OK) return errno;
  }
}
