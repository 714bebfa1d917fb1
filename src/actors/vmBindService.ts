/** Buffer objects and VM_BIND as a program calls them: handles, and the calls of the driver's GPU address spaces. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { PAGE_WORDS, type Vpn, vpn } from '../base/units.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import type { SvmVm } from '../driver/svmVm.js';
import type { BindResult, DeviceVm } from '../driver/vmBind/deviceVm.js';
import { VramBo, type VramPiece } from '../driver/vmBind/vramBo.js';
import { vramMemory } from '../driver/vram/boMemory.js';
import type { VramManager } from '../driver/vramManager.js';
import { DmaResv } from '../drm/exec/dmaResv.js';
import { bytesOfPages, type PageSpan, rangeOverflows } from '../drm/gpuvm/addressRange.js';
import type { GemObject } from '../drm/gpuvm/gemObject.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { Mm } from '../mm/process/mm.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';
import type { OpenFiles } from './processService.js';
import { reportOps, reportVa } from './vmBindReport.js';

/** Finds what a call is about. */
export interface VmBindWorld {
  readonly gpus: readonly GpuHandle[];
  /** The process has not ended. */
  isAlive(mm: Mm): boolean;
  /** Null where the process is not mirrored. */
  vmOf(mm: Mm, gpu: GpuHandle): Steps<SvmVm | null>;
  readonly vram: VramManager;
  readonly memory: PhysicalMemory;
  readonly sched: Scheduler;
}

type BindCall = (deviceVm: DeviceVm, span: PageSpan, call: IoctlCall) => Steps<BindResult>;

/** Of a request that 64 bits of addresses have no place for. @kernel vm_bind_ioctl_check_args */
const REFUSED: BindResult = { errno: Errno.EINVAL, ops: [] };

export class VmBindService implements OpenFiles {
  /** By handle. Each holds a reference, dropped when the handle is closed, its process ends, or the service does. */
  private readonly handles = new Map<number, VramBo>();
  /** The process that made the object, by handle. */
  private readonly owners = new Map<number, Mm>();
  private nextHandle = 1;

  constructor(private readonly world: VmBindWorld) {}

  register(ioctls: IoctlTable): void {
    ioctls.register(IoctlRequest.vmCreateBo, (call) => this.create(call));
    ioctls.register(IoctlRequest.vmCloseBo, (call) => this.closeHandle(call));
    ioctls.register(IoctlRequest.vmFillBo, (call) => this.fill(call));
    ioctls.register(IoctlRequest.vmLoadBo, (call) => this.load(call));
    ioctls.register(IoctlRequest.vmUnbindBo, (call) => this.unbindObject(call));
    ioctls.register(IoctlRequest.vmMappings, (call) => this.mappings(call));
    this.registerBinds(ioctls);
  }

  /** All handles are closed; the mappings must be gone. */
  close(): void {
    for (const handle of [...this.handles.keys()]) this.drop(handle);
  }

  /** Those of a process that has ended. @kernel drm_gem_release */
  *closeAll(mm: Mm): Steps<void> {
    for (const [handle, owner] of [...this.owners]) if (owner === mm) this.drop(handle);
  }

  private registerBinds(ioctls: IoctlTable): void {
    const on = (request: IoctlRequest, bind: BindCall): void => {
      ioctls.register(request, (call) => this.bind(call, bind));
    };
    on(IoctlRequest.vmBindMirror, (vm, span) => vm.bindMirror(span));
    on(IoctlRequest.vmBindUserptr, (vm, span, { a }) => vm.bindUserptr(span, vpn(a)));
    on(IoctlRequest.vmBindSparse, (vm, span) => vm.bindSparse(span));
    on(IoctlRequest.vmUnbind, (vm, span) => vm.unbind(span));
    on(IoctlRequest.vmSplit, (vm, span) => vm.splitForAdvice(span));
    on(IoctlRequest.vmBindBo, (vm, span, { a, b }) => {
      const bo = this.handles.get(a);
      return bo === undefined ? noSuchBo() : vm.bindBo(span, bo, b);
    });
  }

  private *bind(call: IoctlCall, bind: BindCall): Steps<IoctlReply> {
    const deviceVm = yield* this.deviceVm(call);
    if (deviceVm === null) return ioctlReply(Errno.ENODEV);
    const wraps = rangeOverflows(...bytesOfPages(call.page, call.npages));
    const result = wraps ? REFUSED : yield* bind(deviceVm, spanOf(call), call);
    call.payload.put(reportOps(result, (obj) => this.handleOf(obj)));
    return ioctlReply(result.errno);
  }

  private *unbindObject(call: IoctlCall): Steps<IoctlReply> {
    const deviceVm = yield* this.deviceVm(call);
    const bo = this.handles.get(call.a);
    if (deviceVm === null || bo === undefined)
      return ioctlReply(bo === undefined ? Errno.ENOENT : Errno.ENODEV);
    const result = yield* deviceVm.unbindObject(bo);
    call.payload.put(reportOps(result, (obj) => this.handleOf(obj)));
    return ioctlReply(result.errno);
  }

  private *mappings(call: IoctlCall): Steps<IoctlReply> {
    const deviceVm = yield* this.deviceVm(call);
    if (deviceVm === null) return ioctlReply(Errno.ENODEV);
    const { start, end } = spanOf(call);
    const found = deviceVm.vas().filter((va) => va.start < end && va.end > start);
    call.payload.put(found.map((va) => reportVa(va, (obj) => this.handleOf(obj))));
    return ioctlReply(Errno.OK, found.length);
  }

  /** -ENODEV also for a process that ends meanwhile: nobody would close the handle. @kernel xe_gem_create_ioctl */
  private *create({ mm, device, npages }: IoctlCall): Steps<IoctlReply> {
    const gpu = this.world.gpus[device];
    if (gpu === undefined) return ioctlReply(Errno.ENODEV);
    if (npages <= 0) return ioctlReply(Errno.EINVAL);
    const pieces = yield* this.world.vram.allocatePieces(gpu, npages);
    if (typeof pieces === 'number') return ioctlReply(pieces);
    if (!this.world.isAlive(mm)) {
      vramMemory(gpu, pieces).release();
      return ioctlReply(Errno.ENODEV);
    }
    return ioctlReply(Errno.OK, this.addHandle(mm, gpu, pieces));
  }

  /** @kernel drm_gem_handle_create */
  private addHandle(mm: Mm, gpu: GpuHandle, pieces: readonly VramPiece[]): number {
    const handle = this.nextHandle++;
    const name = `bo${handle}`;
    const bo = new VramBo(name, new DmaResv(this.world.sched, `reservation of ${name}`), gpu, pieces);
    bo.handle = handle;
    this.handles.set(handle, bo);
    this.owners.set(handle, mm);
    return handle;
  }

  /** Mappings keep the object alive. @kernel drm_gem_close */
  private *closeHandle({ a: handle }: IoctlCall): Steps<IoctlReply> {
    return ioctlReply(this.drop(handle) ? Errno.OK : Errno.ENOENT);
  }

  private drop(handle: number): boolean {
    const bo = this.handles.get(handle);
    this.handles.delete(handle);
    this.owners.delete(handle);
    bo?.put();
    return bo !== undefined;
  }

  private *fill({ a: handle, b: byte, page, npages }: IoctlCall): Steps<IoctlReply> {
    const bo = this.handles.get(handle);
    if (bo === undefined) return ioctlReply(Errno.ENOENT);
    if (npages <= 0 || page + npages > bo.npages) return ioctlReply(Errno.EINVAL);
    bo.get();
    yield* bo.resv.lock();
    bo.fill(this.world.memory, page, npages, byte);
    bo.resv.unlock();
    bo.put();
    return ioctlReply(Errno.OK);
  }

  private *load({ a: handle, b: word, page }: IoctlCall): Steps<IoctlReply> {
    const bo = this.handles.get(handle);
    if (bo === undefined) return ioctlReply(Errno.ENOENT);
    if (page >= bo.npages || word < 0 || word >= PAGE_WORDS) return ioctlReply(Errno.EINVAL);
    return ioctlReply(Errno.OK, bo.load32(this.world.memory, page, word));
  }

  private *deviceVm({ device, mm }: IoctlCall): Steps<DeviceVm | null> {
    const gpu = this.world.gpus[device];
    if (gpu === undefined) return null;
    const vm = yield* this.world.vmOf(mm, gpu);
    return vm?.deviceVm(gpu) ?? null;
  }

  private handleOf(obj: GemObject): number {
    assert(obj instanceof VramBo && obj.handle > 0, 'a mapped object never had a handle');
    return obj.handle;
  }
}

function spanOf({ page, npages }: { page: Vpn; npages: number }): PageSpan {
  return { start: page, end: page + npages };
}

function* noSuchBo(): Steps<BindResult> {
  return { errno: Errno.ENOENT, ops: [] };
}
