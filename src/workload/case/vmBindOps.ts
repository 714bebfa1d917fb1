/** Operations of a case on a GPU's address space: binding buffer objects and user pages, mirrors, and looking at what was bound. */

import { Errno } from '../../base/errno.js';
import { TASK_SIZE_PAGES, type Vpn, vpn } from '../../base/units.js';
import type { Va, VmOp } from '../../case/expectSchemas.js';
import type { StepResult } from '../../case/stepResult.js';
import { PAGES_MAX } from '../../case/values.js';
import type { Steps } from '../../sim/steps.js';
import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import type { VaOpReport, VaPlaceReport, VaReport } from '../../uapi/vmBindReport.js';
import { CaseMisuse, type CaseThread } from './caseThread.js';
import { launchCommand } from './gpuOps.js';
import { type OpHandlers, returned } from './opHandler.js';

/** GPU page that page 0 of a case's GPU addresses is: where no buffer of a process lies, and not up to the end, as mirrors of everything reach. */
const WINDOW = 0x5_0000_0000;
const WINDOW_PAGES = PAGES_MAX;
/** Of steps that name none. */
const FIRST_DEVICE = 'gpu0';

interface Target {
  readonly proc?: string | undefined;
  readonly dev?: string | undefined;
}

interface SpanTarget extends Target {
  readonly start: number;
  readonly end: number;
}

/** Enters the process and finds the device. */
function* targetOf(thread: CaseThread, { proc, dev }: Target): Steps<number> {
  yield* thread.enter(proc);
  return thread.device(dev ?? FIRST_DEVICE);
}

/** The object of a name, made when it is first named, as large as any step of the case needs it; a negative errno without memory for it. */
function* handleOf(thread: CaseThread, device: number, name: string): Steps<number> {
  const known = thread.bos.get(name);
  if (known !== undefined) return known;
  const npages = thread.boPages.get(name);
  if (npages === undefined) throw new CaseMisuse(`there is no buffer object ${name}`);
  const { errno, a } = yield* thread.host.ioctl(IoctlRequest.vmCreateBo, device, vpn(0), npages, 0, 0);
  if (errno !== 0) return errno;
  thread.bos.set(name, a);
  return a;
}

/** The steps that the driver took and all mappings afterwards, counted from the window's start. */
function* bind(
  thread: CaseThread,
  request: number,
  device: number,
  { start, end }: SpanTarget,
  a: number,
  b: number,
): Steps<StepResult> {
  const { host } = thread;
  const { errno } = yield* host.ioctl(request, device, vpn(WINDOW + start), end - start, a, b);
  const vmOps = (host.payload.get<readonly VaOpReport[]>() ?? []).map((op) => showOp(thread, op));
  return { ret: errno, vmOps, vas: yield* mappings(thread, device) };
}

/** Of the window, without what is a part of a mirror of everything. */
function* mappings(thread: CaseThread, device: number): Steps<Va[]> {
  const { host } = thread;
  yield* host.ioctl(IoctlRequest.vmMappings, device, vpn(WINDOW), WINDOW_PAGES, 0, 0);
  return (host.payload.get<readonly VaReport[]>() ?? [])
    .filter((va) => va.start >= WINDOW && va.end <= WINDOW + WINDOW_PAGES)
    .map((va) => showVa(thread, va));
}

function nameOf(thread: CaseThread, handle: number): string | null {
  for (const [name, known] of thread.bos) if (known === handle) return name;
  return null;
}

function showPlace(thread: CaseThread, { start, end, bo, offset }: VaPlaceReport) {
  const name = nameOf(thread, bo);
  return { start: start - WINDOW, end: end - WINDOW, bo: name, bo_off: name === null ? null : offset };
}

function showVa(thread: CaseThread, place: VaPlaceReport): Va {
  const { start, end, bo, bo_off } = showPlace(thread, place);
  return [start, end, bo, bo_off];
}

function showMap(thread: CaseThread, place: VaPlaceReport | null): (VmOp & { op: 'map' }) | null {
  return place === null ? null : { op: 'map', ...showPlace(thread, place) };
}

function showOp(thread: CaseThread, op: VaOpReport): VmOp {
  if (op.op === 'map') return { op: 'map', ...showPlace(thread, op.place) };
  if (op.op === 'unmap') return { op: 'unmap', ...showPlace(thread, op.va), keep: op.keep };
  const { keep } = op;
  const [prev, next] = [showMap(thread, op.prev), showMap(thread, op.next)];
  return { op: 'remap', unmap: showVa(thread, op.unmap), keep, prev, next };
}

function* bindObject(
  thread: CaseThread,
  args: SpanTarget & { readonly bo: string | null; readonly bo_off: number },
): Steps<StepResult> {
  const device = yield* targetOf(thread, args);
  if (args.bo === null) return yield* bind(thread, IoctlRequest.vmBindMirror, device, args, 0, 0);
  const handle = yield* handleOf(thread, device, args.bo);
  if (handle < 0) return { ret: handle };
  return yield* bind(thread, IoctlRequest.vmBindBo, device, args, handle, args.bo_off);
}

function* unbind(thread: CaseThread, args: SpanTarget): Steps<StepResult> {
  const device = yield* targetOf(thread, args);
  return yield* bind(thread, IoctlRequest.vmUnbind, device, args, 0, 0);
}

/** A call on a span of the process's own addresses, which the GPU has in the same place. */
function* onSpan(
  thread: CaseThread,
  request: number,
  dev: string,
  page: Vpn,
  npages: number,
  a = 0,
): Steps<StepResult> {
  return returned((yield* thread.host.ioctl(request, thread.device(dev), page, npages, a, 0)).errno);
}

export const vmBindOps: OpHandlers<
  | 'bind_mirror'
  | 'unbind_mirror'
  | 'bind_mirror_range'
  | 'bind_bo'
  | 'gpuvm_insert'
  | 'gpuvm_sm_map'
  | 'gpuvm_sm_unmap'
  | 'gpuvm_madvise'
  | 'gpuvm_bind_bo'
  | 'gpuvm_bind_userptr'
  | 'gpuvm_unbind'
  | 'gpu_store_va'
  | 'bo_load32'
  | 'bo_fill'
> = {
  *bind_mirror(thread, { proc, dev }) {
    yield* thread.enter(proc);
    return yield* onSpan(thread, IoctlRequest.vmBindMirror, dev, vpn(0), TASK_SIZE_PAGES);
  },

  *unbind_mirror(thread, { proc, dev }) {
    const page = thread.unused(yield* thread.enter(proc));
    const result = yield* onSpan(thread, IoctlRequest.vmUnbind, dev, vpn(0), TASK_SIZE_PAGES);
    // What the device held exclusively goes with its mirror.
    if (result.ret === 0)
      yield* thread.host.ioctl(IoctlRequest.mirrorClose, thread.device(dev), page, 1, 0, 0);
    return result;
  },

  *bind_mirror_range(thread, args) {
    const { page, npages } = thread.span(yield* thread.enter(args.proc), args);
    return yield* onSpan(thread, IoctlRequest.vmBindMirror, args.dev, page, npages);
  },

  /** An object of its own, which lives as long as its mapping. */
  *bind_bo(thread, args) {
    const { page, npages } = thread.span(yield* thread.enter(args.proc), args);
    const { host } = thread;
    const device = thread.device(args.dev);
    const made = yield* host.ioctl(IoctlRequest.vmCreateBo, device, vpn(0), npages, 0, 0);
    if (made.errno !== 0) return returned(made.errno);
    const bound = yield* onSpan(thread, IoctlRequest.vmBindBo, args.dev, page, npages, made.a);
    yield* host.ioctl(IoctlRequest.vmCloseBo, device, vpn(0), 0, made.a, 0);
    return bound;
  },

  /** Nothing gives way to it. @kernel drm_gpuva_insert */
  *gpuvm_insert(thread, args) {
    const vas = yield* mappings(thread, yield* targetOf(thread, args));
    const isTaken = vas.some(([start, end]) => start < args.end && end > args.start);
    return isTaken ? { ret: Errno.EEXIST, vmOps: [], vas } : yield* bindObject(thread, args);
  },

  gpuvm_sm_map: bindObject,
  gpuvm_bind_bo: bindObject,
  gpuvm_sm_unmap: unbind,
  gpuvm_unbind: unbind,

  *gpuvm_madvise(thread, args) {
    const device = yield* targetOf(thread, args);
    return yield* bind(thread, IoctlRequest.vmSplit, device, args, 0, 0);
  },

  *gpuvm_bind_userptr(thread, args) {
    const device = yield* targetOf(thread, args);
    const { start } = thread.buffer(yield* thread.enter(args.proc), args.buf);
    return yield* bind(thread, IoctlRequest.vmBindUserptr, device, args, start + args.buf_page, 0);
  },

  *gpu_store_va(thread, args) {
    const device = yield* targetOf(thread, args);
    const { page, value } = args;
    return yield* launchCommand(thread, device, {
      kind: 'store',
      page: WINDOW + page,
      dword: 0,
      count: 1,
      value,
    });
  },

  *bo_load32(thread, args) {
    const device = yield* targetOf(thread, args);
    const handle = yield* handleOf(thread, device, args.bo);
    if (handle < 0) return { ret: handle };
    const { errno, a } = yield* thread.host.ioctl(
      IoctlRequest.vmLoadBo,
      device,
      vpn(args.page),
      1,
      handle,
      0,
    );
    return errno === 0 ? { ret: 0, value: a | 0 } : { ret: errno };
  },

  *bo_fill(thread, args) {
    const device = yield* targetOf(thread, args);
    const handle = yield* handleOf(thread, device, args.bo);
    if (handle < 0) return { ret: handle };
    const { off, pages, byte } = args;
    return returned(
      (yield* thread.host.ioctl(IoctlRequest.vmFillBo, device, vpn(off), pages, handle, byte)).errno,
    );
  },
};
