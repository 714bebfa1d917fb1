/** A GPU context that counts how often it had to fault. */

import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { FaultKind } from '../../memory/faultKind.js';
import type { Steps } from '../../sim/steps.js';
import { DelegatedContext } from '../delegatedContext.js';

export class CountingContext extends DelegatedContext {
  faults = 0;

  override fault(page: Vpn, write: boolean, kind?: FaultKind): Steps<Errno> {
    this.faults++;
    return super.fault(page, write, kind);
  }
}
