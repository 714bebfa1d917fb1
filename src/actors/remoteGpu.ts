/** A GPU as the Coordinator reaches it: each request of the port is a message to its actor. */

import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { BindRequest, GpuPort, TlbInvalidation, VramAllocationId } from '../device/gpuPort.js';
import type { SpaceId } from '../device/gpuSpace.js';
import type { PageArrayId } from '../memory/pageArrays.js';
import type { CallNumber, Port } from '../sim/port.js';
import { PARK, type Steps } from '../sim/steps.js';
import { BindRight, HostMessage } from './messages.js';

/** Requests of hot paths are started and taken here instead of by `Port.call`: a generator less to enter and to come back through. */
export class RemoteGpu implements GpuPort {
  constructor(private readonly port: Port) {}

  *allocVram(npages: number, pfns: PageArrayId): Steps<VramAllocationId | Errno> {
    const call = this.port.start(HostMessage.allocVram, { npages, pfns });
    if (this.port.mustWait(call)) yield PARK;
    return this.port.take(HostMessage.allocVram, call).result;
  }

  releaseVram(id: VramAllocationId): void {
    this.port.post(HostMessage.releaseVram, { id });
  }

  startBind(page: Vpn, npages: number, addrs: PageArrayId, write: boolean, atomics: boolean): BindRequest {
    const rights = (write ? BindRight.Write : 0) | (atomics ? BindRight.Atomic : 0);
    const call: number = this.port.start(HostMessage.bind, { page, npages, addrs, rights });
    return call as BindRequest;
  }

  *finishBind(request: BindRequest): Steps<Errno> {
    const call: number = request;
    if (this.port.mustWait(call as CallNumber)) yield PARK;
    return this.port.take(HostMessage.bind, call as CallNumber).errno;
  }

  zap(page: Vpn, npages: number): void {
    this.port.post(HostMessage.zap, { page, npages });
  }

  removeSpace(space: SpaceId): void {
    this.port.post(HostMessage.removeSpace, { space });
  }

  startTlbInvalidation(page: Vpn, npages: number): TlbInvalidation {
    const call: number = this.port.start(HostMessage.invalidateTlb, { page, npages });
    return call as TlbInvalidation;
  }

  *finishTlbInvalidation(invalidation: TlbInvalidation): Steps<void> {
    const call: number = invalidation;
    if (this.port.mustWait(call as CallNumber)) yield PARK;
    this.port.take(HostMessage.invalidateTlb, call as CallNumber);
  }

  *copy(src: PageArrayId, dst: PageArrayId, npages: number): Steps<Errno> {
    const call = this.port.start(HostMessage.copy, { src, dst, npages });
    if (this.port.mustWait(call)) yield PARK;
    return this.port.take(HostMessage.copy, call).errno;
  }

  /** Runs a kernel of a workload on all contexts of the device, in one address space; returns when they have ended. */
  *launch(space: SpaceId, workload: number, phase: number, a: number, b: number): Steps<Errno> {
    return (yield* this.port.call(HostMessage.launch, { space, workload, phase, a, b })).errno;
  }
}
