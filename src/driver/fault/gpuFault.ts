/** One GPU fault, or one range of a prefetch, on its way through the driver. */

import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { FaultKind } from '../../memory/faultKind.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { PlacementPolicy } from '../placement.js';
import type { SvmVm } from '../svmVm.js';

/** What is known before the first round. */
export interface FaultRequest {
  readonly vm: SvmVm;
  /** The faulting device; a prefetch binds for it. */
  readonly gpu: GpuHandle;
  /** Whose device pages it uses as they are. */
  readonly owner: PagemapOwner;
  readonly page: Vpn;
  readonly write: boolean;
  readonly kind: FaultKind;
  readonly policy: PlacementPolicy;
  readonly isPrefetch: boolean;
}

/** What changes from round to round; one task owns it. */
export class GpuFault implements FaultRequest {
  readonly vm: SvmVm;
  readonly gpu: GpuHandle;
  readonly owner: PagemapOwner;
  readonly page: Vpn;
  readonly write: boolean;
  readonly kind: FaultKind;
  readonly policy: PlacementPolicy;
  readonly isPrefetch: boolean;
  /** The area may not be written: map it for reading, as the fault asked no more. */
  readOnly = false;
  /** One past the range that was served, once known. */
  servedEnd: Vpn;

  constructor(
    request: FaultRequest,
    /** Attempts at migration left. @kernel migrate_try_count */
    public tries: number,
    /** How long pages stay on the device once they are there; doubles with each retry. */
    public timesliceNs: number,
  ) {
    this.vm = request.vm;
    this.gpu = request.gpu;
    this.owner = request.owner;
    this.page = request.page;
    this.write = request.write;
    this.kind = request.kind;
    this.policy = request.policy;
    this.isPrefetch = request.isPrefetch;
    this.servedEnd = request.page;
  }

  /** Pages that cannot be where the policy wants them end the access. */
  get isAtomic(): boolean {
    return this.kind === FaultKind.Atomic;
  }

  /** Pages count as served only where the policy wants them: a prefetch, or atomics, which work nowhere else. */
  get isStrict(): boolean {
    return this.isPrefetch || this.isAtomic;
  }
}

/** Begin again from the range look-up. */
export const RETRY = 'retry';
/** How one round ended. */
export type Round = Errno | typeof RETRY;
