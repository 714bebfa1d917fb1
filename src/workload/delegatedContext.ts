/** A GPU context that hands everything on to another one: for those that change a part of what it does. */

import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { FaultKind } from '../memory/faultKind.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { Gate } from '../sim/gate.js';
import type { Steps } from '../sim/steps.js';
import type { DeviceContext } from './workload.js';

export class DelegatedContext implements DeviceContext {
  constructor(protected readonly inner: DeviceContext) {}

  get device(): number {
    return this.inner.device;
  }

  get index(): number {
    return this.inner.index;
  }

  get count(): number {
    return this.inner.count;
  }

  get gate(): Gate {
    return this.inner.gate;
  }

  get memory(): PhysicalMemory {
    return this.inner.memory;
  }

  tryPage(page: Vpn, write: boolean): number {
    return this.inner.tryPage(page, write);
  }

  tryAtomic(page: Vpn): number {
    return this.inner.tryAtomic(page);
  }

  release(): void {
    this.inner.release();
  }

  fault(page: Vpn, write: boolean, kind?: FaultKind): Steps<Errno> {
    return this.inner.fault(page, write, kind);
  }
}
