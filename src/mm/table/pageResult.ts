/** The result of a call that returns an address or an errno. */

import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';

export type Failure = Exclude<Errno, typeof Errno.OK>;

/** A page, or why there is none; the two never overlap, since page numbers are not negative. @kernel IS_ERR_VALUE */
export type PageOrErrno = Vpn | Failure;

/** @kernel IS_ERR_VALUE */
export function isFailure(result: PageOrErrno): result is Failure {
  return result < 0;
}
