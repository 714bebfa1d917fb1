/** The driver calls about a process's memory as devices see it: attributes, advice, prefetch, and where pages are. */

import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { AttributeDriver } from '../driver/attributes/attributeDriver.js';
import { devicesIn } from '../driver/attributes/deviceMask.js';
import type { SvmChange } from '../driver/attributes/kfdSvm.js';
import { isDevice, Location } from '../driver/attributes/location.js';
import { ApiCode } from '../driver/attributes/managedMemory.js';
import type { ProcessAttributes } from '../driver/attributes/processAttributes.js';
import type { Span } from '../driver/attributes/span.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import type { PlacementPolicy } from '../driver/placement.js';
import { pagesIn } from '../driver/spanWalk.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { Kernel } from '../mm/kernel.js';
import { pteIsMapping, ptePfn } from '../mm/table/pte.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest, type SvmRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';
import { tellPlaces } from './residency.js';
import {
  accessByName,
  adviceByName,
  atomicsByName,
  flagsOf,
  nameOfAccess,
  nameOfPlace,
  namesOfFlags,
  placeOf,
} from './svmNames.js';

/** Of a call by a process that has devices. */
type Handler = (call: IoctlCall, said: ProcessAttributes) => Steps<IoctlReply>;

export class SvmService {
  constructor(
    private readonly kernel: Kernel,
    private readonly gpus: readonly GpuHandle[],
    private readonly driver: AttributeDriver,
    /** Where pages go of which nobody has said anything. */
    private readonly policy: PlacementPolicy,
  ) {}

  register(ioctls: IoctlTable): void {
    const rows: readonly [IoctlRequest, Handler][] = [
      [IoctlRequest.svmSetAttr, (call) => this.setAttr(call)],
      [IoctlRequest.svmGetAttr, atOnce((call, said) => this.getAttr(call, said))],
      [IoctlRequest.madvisePreferred, (call) => this.advisePreferred(call)],
      [IoctlRequest.madviseAtomic, (call) => this.adviseAtomic(call)],
      [IoctlRequest.managedAdvise, (call, said) => this.advise(call, said)],
      [IoctlRequest.managedGetAttr, atOnce((call, said) => this.getManaged(call, said))],
      [IoctlRequest.svmPrefetch, (call, said) => this.prefetch(call, said)],
      [IoctlRequest.setXnack, atOnce((call, said) => this.setXnack(call, said))],
      [IoctlRequest.createQueue, atOnce((call, said) => this.createQueue(call, said))],
      [IoctlRequest.destroyQueue, atOnce((call, said) => this.destroyQueue(call, said))],
      [IoctlRequest.queryResidency, atOnce((call) => this.queryResidency(call))],
    ];
    for (const [request, handler] of rows) {
      ioctls.register(request, (call) => this.handle(call, handler));
    }
  }

  private *handle(call: IoctlCall, handler: Handler): Steps<IoctlReply> {
    const said = this.driver.attributesOf(call.mm);
    return said === null ? ioctlReply(Errno.ENODEV) : yield* handler(call, said);
  }

  /** @kernel kfd_ioctl_svm */
  private *setAttr(call: IoctlCall): Steps<IoctlReply> {
    const changes = changesOf(payloadValue<SvmRequest>(call.payload));
    if (changes === null) return ioctlReply(Errno.EINVAL);
    return ioctlReply(yield* this.driver.setShared(spanOf(call), changes));
  }

  private getAttr(call: IoctlCall, said: ProcessAttributes): IoctlReply {
    const span = spanOf(call);
    const errno = this.driver.checkSpan(span);
    if (errno !== Errno.OK) return ioctlReply(errno);
    const report = said.kfd.report(span.start, span.end);
    const attr = payloadValue<string>(call.payload);
    const values: Readonly<Record<string, unknown>> = {
      prefetch_loc: nameOfPlace(report.prefetched, 'sys', 'undefined'),
      preferred_loc: nameOfPlace(report.preferred, 'sys', 'undefined'),
      flags: namesOfFlags(report.flags),
      granularity: report.granularity,
      access: nameOfAccess(said.kfd.accessOf(report, call.device)),
    };
    if (attr === undefined || !(attr in values)) return ioctlReply(Errno.EINVAL);
    call.payload.put(values[attr]);
    return ioctlReply(Errno.OK, said.kfd.xnackEnabled ? 1 : 0);
  }

  /** -ENOLINK for a device that this one does not reach. @kernel xe_vm_madvise_ioctl */
  private *advisePreferred(call: IoctlCall): Steps<IoctlReply> {
    const place = placeOf(payloadValue<string>(call.payload) ?? '');
    const errno = this.checkPreferred(call.device, place);
    if (errno !== Errno.OK) return ioctlReply(errno);
    // The device's own memory, by whatever name.
    const preferred = place === call.device ? Location.Faulting : place;
    const advice = { kind: 'preferred', place: preferred, onlySystemPages: call.a !== 0 } as const;
    return ioctlReply(yield* this.driver.advise(spanOf(call), this.gpus[call.device], advice));
  }

  private checkPreferred(device: number, place: number): Errno {
    if (this.gpus[device] === undefined) return Errno.ENODEV;
    if (!isDevice(place)) return place === Location.Undefined ? Errno.EINVAL : Errno.OK;
    if (this.gpus[place] === undefined) return Errno.EINVAL;
    return this.driver.linked(device, place) ? Errno.OK : Errno.ENOLINK;
  }

  private *adviseAtomic(call: IoctlCall): Steps<IoctlReply> {
    const mode = atomicsByName[payloadValue<string>(call.payload) ?? ''];
    if (mode === undefined || this.gpus[call.device] === undefined) return ioctlReply(Errno.EINVAL);
    const advice = { kind: 'atomics', mode } as const;
    return ioctlReply(yield* this.driver.advise(spanOf(call), this.gpus[call.device], advice));
  }

  private *advise(call: IoctlCall, said: ProcessAttributes): Steps<IoctlReply> {
    const { advice = '', place = 'cpu' } =
      payloadValue<{ advice: string; place: string }>(call.payload) ?? {};
    const span = spanOf(call);
    if (adviceByName[advice] === undefined) return ioctlReply(Errno.OK, ApiCode.InvalidValue);
    const errno = yield* said.watch();
    if (errno !== Errno.OK) return ioctlReply(errno);
    if (this.driver.checkMapped(span) !== Errno.OK) return ioctlReply(Errno.OK, ApiCode.InvalidValue);
    const code = said.managed.advise(span.start, span.end, adviceByName[advice], placeOf(place));
    if (code === ApiCode.Success) yield* this.driver.follow(span, true);
    return ioctlReply(Errno.OK, code);
  }

  private getManaged(call: IoctlCall, said: ProcessAttributes): IoctlReply {
    const span = spanOf(call);
    if (this.driver.checkMapped(span) !== Errno.OK) return ioctlReply(Errno.OK, ApiCode.InvalidValue);
    const report = said.managed.report(span.start, span.end);
    const devices = devicesIn(report.accessedBy).map((device) => `gpu${device}`);
    const values: Readonly<Record<string, unknown>> = {
      read_mostly: report.readMostly ? 1 : 0,
      preferred_location: nameOfPlace(report.preferred, 'cpu', 'none'),
      last_prefetch_location: nameOfPlace(report.prefetched, 'cpu', 'none'),
      accessed_by: report.accessedByCpu ? ['cpu', ...devices] : devices,
    };
    const attr = payloadValue<string>(call.payload);
    if (attr === undefined || !(attr in values)) return ioctlReply(Errno.OK, ApiCode.InvalidValue);
    call.payload.put(values[attr]);
    return ioctlReply(Errno.OK);
  }

  private *prefetch(call: IoctlCall, said: ProcessAttributes): Steps<IoctlReply> {
    const target = payloadValue<string>(call.payload) ?? '';
    if (call.device < 0) return yield* this.prefetchManaged(call, said, target);
    const gpu = this.gpus[call.device];
    if (gpu === undefined) return ioctlReply(Errno.ENODEV);
    if (target === 'advised')
      return ioctlReply(yield* this.driver.prefetchAdvised(spanOf(call), gpu, this.policy));
    const before = this.pagesOn(call);
    const errno = yield* this.prefetchTo(call, said, placeOf(target), gpu);
    return ioctlReply(errno, 0, Math.max(0, before - this.pagesOn(call)));
  }

  private pagesOn(call: IoctlCall): number {
    const { mm, start, end } = spanOf(call);
    return pagesIn(mm, start, end, call.device);
  }

  /** What KFD knows of the span remembers where it went. */
  private *prefetchTo(call: IoctlCall, said: ProcessAttributes, place: number, gpu: GpuHandle): Steps<Errno> {
    const span = spanOf(call);
    const isRegistered = said.shared.overlapping(span.start, span.end).next().done === false;
    if (isRegistered) return yield* this.driver.setShared(span, [{ kind: 'prefetch', place }]);
    if (place !== Location.System && !(isDevice(place) && place < this.gpus.length)) return Errno.EINVAL;
    return yield* this.driver.prefetchFor(span, place, gpu);
  }

  private *prefetchManaged(call: IoctlCall, said: ProcessAttributes, target: string): Steps<IoctlReply> {
    const span = spanOf(call);
    const place = placeOf(target);
    const watched = yield* said.watch();
    if (watched !== Errno.OK) return ioctlReply(watched);
    if (this.driver.checkMapped(span) !== Errno.OK) return ioctlReply(Errno.OK, ApiCode.InvalidValue);
    if (!said.managed.isPlace(place)) return ioctlReply(Errno.OK, ApiCode.InvalidDevice);
    said.managed.prefetched(span.start, span.end, place);
    return ioctlReply(yield* this.driver.prefetch(span, place));
  }

  /** -EBUSY while the process has queues. @kernel kfd_ioctl_set_xnack_mode */
  private setXnack(call: IoctlCall, said: ProcessAttributes): IoctlReply {
    if (said.queues.size > 0) return ioctlReply(Errno.EBUSY);
    said.kfd.xnackEnabled = call.a !== 0;
    return ioctlReply(Errno.OK, call.a);
  }

  private createQueue(call: IoctlCall, { queues }: ProcessAttributes): IoctlReply {
    const key = `${call.device}.${payloadValue<string>(call.payload) ?? ''}`;
    if (queues.has(key)) return ioctlReply(Errno.EEXIST);
    queues.add(key);
    return ioctlReply(Errno.OK);
  }

  private destroyQueue(call: IoctlCall, { queues }: ProcessAttributes): IoctlReply {
    const isThere = queues.delete(`${call.device}.${payloadValue<string>(call.payload) ?? ''}`);
    return ioctlReply(isThere ? Errno.OK : Errno.EINVAL);
  }

  private queryResidency(call: IoctlCall): IoctlReply {
    const { kernel } = this;
    tellPlaces(kernel, call, (pte) => pteIsMapping(pte) && ptePfn(pte) !== kernel.zeroPage);
    return ioctlReply(Errno.OK);
  }
}

function atOnce(handler: (call: IoctlCall, said: ProcessAttributes) => IoctlReply): Handler {
  return (call, said) => answerAtOnce(handler(call, said));
}

function* answerAtOnce(reply: IoctlReply): Steps<IoctlReply> {
  return reply;
}

function spanOf({ mm, page, npages }: IoctlCall): Span {
  return { mm, start: page, end: (page + npages) as Vpn };
}

function payloadValue<T>(payload: CallPayload): T | undefined {
  return payload.get<T>();
}

/** Null where a flag is none. @kernel kfd_ioctl_svm_attribute */
function changesOf(request: SvmRequest | undefined): SvmChange[] | null {
  if (request === undefined) return [];
  const setFlags = flagsOf(request.flags ?? []);
  const clearFlags = flagsOf(request.clearFlags ?? []);
  if (setFlags === null || clearFlags === null) return null;
  const changes: SvmChange[] = [];
  const { prefetch, preferred, granularity } = request;
  if (prefetch !== undefined) changes.push({ kind: 'prefetch', place: placeOf(prefetch) });
  if (preferred !== undefined) changes.push({ kind: 'preferred', place: placeOf(preferred) });
  if (setFlags !== 0) changes.push({ kind: 'setFlags', flags: setFlags });
  if (clearFlags !== 0) changes.push({ kind: 'clearFlags', flags: clearFlags });
  if (granularity !== undefined) changes.push({ kind: 'granularity', order: granularity });
  const rights = { access: request.access, access_in_place: request.inPlace, no_access: request.noAccess };
  for (const [right, device] of Object.entries(rights)) {
    if (device !== undefined)
      changes.push({ kind: 'access', device: placeOf(device), access: accessByName[right] });
  }
  return changes;
}
