/** Leaves a missing page to its handler in user space. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { Steps } from '../../sim/steps.js';
import type { Mm } from '../process/mm.js';

/**
 * Whoever cannot let go of mmap_lock is refused, with -EFAULT: the handler could not serve him. On -EAGAIN the handler has been heard, and
 * mmap_lock was dropped. @kernel handle_userfault
 */
export function* askUserspace(
  mm: Mm,
  page: Vpn,
  write: boolean,
  mayRetry: boolean,
): Steps<typeof Errno.EFAULT | typeof Errno.EAGAIN> {
  if (!mayRetry || mm.userfaultfd === null) return Errno.EFAULT;
  yield* mm.userfaultfd.wait(page, write);
  return Errno.EAGAIN;
}
