/** The lock of a page that a fault needs: whoever waits for it lets others change the address space meanwhile, once. */

import type { Pfn } from '../../memory/pfn.js';
import type { Steps } from '../../sim/steps.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../process/mm.js';
import { FaultFlag } from './faultFlag.js';

/**
 * The caller has a reference to the page. True: the page is locked. False: somebody had it, mmap_lock was dropped until he let go, and the fault
 * begins again; a fault that may not do so, or has done so already, waits with mmap_lock held. @kernel folio_lock_or_retry
 */
export function* folioLockOrRetry(kernel: Kernel, mm: Mm, pfn: Pfn, flags: number): Steps<boolean> {
  const { folioLocks } = kernel;
  if (folioLocks.trylock(pfn)) return true;
  if (mayRetryFirst(flags)) {
    mm.mmapLock.readUnlock();
    yield* folioLocks.waitUnlocked(pfn);
    return false;
  }
  yield* folioLocks.lock(pfn);
  return true;
}

/** @kernel fault_flag_allow_retry_first */
function mayRetryFirst(flags: number): boolean {
  return (flags & (FaultFlag.AllowRetry | FaultFlag.Tried)) === FaultFlag.AllowRetry;
}
