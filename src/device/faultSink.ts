/** Where a GPU's faults go: the host's fault handler, reached by a message. */

import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { FaultKind } from '../memory/faultKind.js';
import type { Steps } from '../sim/steps.js';

export interface FaultSink {
  /** `page` is named with its address space. OK: the access may be tried again. Otherwise it is illegal, and the context that made it ends. Must not throw. */
  serve(page: Vpn, write: boolean, kind: FaultKind): Steps<Errno>;
}
