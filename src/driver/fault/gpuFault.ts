/** One GPU fault, or one range of a prefetch, on its way through the driver. */

import type { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import type { FaultKind } from '../../memory/faultKind.js';
import type { Place } from '../attributes/location.js';
import type { Placed } from '../attributes/placement.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { PlacementPolicy, PlacementQuestion } from '../placement.js';
import type { SvmVm } from '../svmVm.js';
import { FaultPath } from './faultPath.js';

/** What is known before the first round. */
export interface FaultRequest {
  readonly vm: SvmVm;
  /** The faulting device; a prefetch binds for it. */
  readonly gpu: GpuHandle;
  readonly page: Vpn;
  readonly write: boolean;
  readonly kind: FaultKind;
  readonly policy: PlacementPolicy;
  readonly isPrefetch: boolean;
  /** It must end with the pages in the device's own memory: an atomic that works nowhere else. @kernel devmem_only */
  readonly devmemOnly: boolean;
  /** The device may not store there: mapped for loads. */
  readonly readOnly: boolean;
}

/** What a fault begins with. */
export interface Patience {
  readonly tries: number;
  readonly timesliceNs: number;
}

/** What a fault may ask about the machine. */
export interface FaultWorld {
  /** The devices that mirror a process. */
  membersOf(vm: SvmVm): readonly number[];
  /** Whether two devices use each other's memory as it is. */
  linked(a: number, b: number): boolean;
}

/** What changes from round to round; one task owns it. */
export class GpuFault implements FaultRequest, PlacementQuestion {
  readonly vm: SvmVm;
  readonly gpu: GpuHandle;
  readonly page: Vpn;
  readonly write: boolean;
  readonly kind: FaultKind;
  policy: PlacementPolicy;
  readonly isPrefetch: boolean;
  devmemOnly: boolean;
  /** Attempts at migration left. @kernel migrate_try_count */
  tries: number;
  /** How long pages stay on the device once they are there; doubles with each retry. */
  timesliceNs: number;
  /** The area may not be written, or devices may not: mapped for loads, as the fault asked no more. */
  readOnly: boolean;
  /** As far as is known. */
  path: FaultPath = FaultPath.Present;
  /** The page is mirrored, and not bound by hand; once known. */
  onMirror = false;
  /** One past the range that was served, once known. */
  servedEnd: Vpn;
  /** What the policy has answered in this round. */
  private answer: Place | null = null;

  constructor(
    request: FaultRequest,
    patience: Patience,
    private readonly world: FaultWorld,
  ) {
    this.vm = request.vm;
    this.gpu = request.gpu;
    this.page = request.page;
    this.write = request.write;
    this.kind = request.kind;
    this.policy = request.policy;
    this.isPrefetch = request.isPrefetch;
    this.devmemOnly = request.devmemOnly;
    this.readOnly = request.readOnly;
    this.servedEnd = request.page;
    this.tries = patience.tries;
    this.timesliceNs = patience.timesliceNs;
  }

  /** The pages are to be elsewhere than was thought. */
  place({ policy, devmemOnly, readOnly }: Placed): void {
    this.policy = policy;
    this.answer = null;
    this.devmemOnly = devmemOnly;
    this.readOnly ||= readOnly;
  }

  /** As if it had just come. */
  beginAgain({ tries, timesliceNs }: Patience): void {
    this.tries = tries;
    this.timesliceNs = timesliceNs;
    this.readOnly = false;
  }

  /** Where the policy wants the pages. It is asked anew in each round: the driver may let go of a device between two of them. */
  get wanted(): Place {
    this.answer ??= this.policy.place(this);
    return this.answer;
  }

  beginRound(): void {
    this.answer = null;
  }

  get device(): number {
    return this.gpu.index;
  }

  get process(): number {
    return this.vm.mm.id;
  }

  /** The process uses the device now. */
  isMember(gpu: GpuHandle): boolean {
    return gpu === this.gpu || this.members.includes(gpu.index);
  }

  get members(): readonly number[] {
    return this.world.membersOf(this.vm);
  }

  reaches(device: number): boolean {
    return this.world.linked(this.gpu.index, device);
  }

  /** Pages count as served only where the policy wants them. */
  get isStrict(): boolean {
    return this.isPrefetch || this.devmemOnly;
  }
}

/** Begin again from the range look-up. */
export const RETRY = 'retry';
/** How one round ended. */
export type Round = Errno | typeof RETRY;

/** Go on with the pages where they are. */
export const GET_PAGES = 'get pages';
