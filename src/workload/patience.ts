/** How work waits for a device that has left its process: it tries again until the device is back. */

import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { FaultKind } from '../memory/faultKind.js';
import type { Gate } from '../sim/gate.js';
import type { Steps } from '../sim/steps.js';
import { DelegatedContext } from './delegatedContext.js';
import type { DeviceContext } from './workload.js';

/** Between two attempts, at first; doubles up to the other one. */
const WAIT_MIN_NS = 100_000;
const WAIT_MAX_NS = 5_000_000;

export type Sleep = (ns: number) => Steps<void>;

/** Repeats what ends with -ENODEV, outside the gate meanwhile, so that the run can be held: nothing of the work is half done then. */
export function* untilPresent(gate: Gate, sleep: Sleep, attempt: () => Steps<Errno>): Steps<Errno> {
  for (let waitNs = WAIT_MIN_NS; ; waitNs = Math.min(2 * waitNs, WAIT_MAX_NS)) {
    const errno = yield* attempt();
    if (errno !== Errno.ENODEV) return errno;
    gate.leave();
    yield* sleep(waitNs);
    yield* gate.rejoin();
  }
}

/** A context whose faults wait for the device: a kernel that loses its device in the middle goes on when it is back. */
export class PatientContext extends DelegatedContext {
  constructor(
    inner: DeviceContext,
    private readonly sleep: Sleep,
  ) {
    super(inner);
  }

  override fault(page: Vpn, write: boolean, kind?: FaultKind): Steps<Errno> {
    return untilPresent(this.gate, this.sleep, () => super.fault(page, write, kind));
  }
}
