/** Operations of a case that tell drivers about memory: advice, attributes, prefetch, queues, and where pages are. */

import { Errno, errnoName } from '../../base/errno.js';
import { PAGE_BYTES, pagesFor, vpn } from '../../base/units.js';
import { parseFallback } from '../../case/fallbacks.js';
import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import { IoctlRequest, type SvmRequest } from '../../uapi/ioctlRequest.js';
import { type CallReply, MapFlag, Prot } from '../workload.js';
import { CaseMisuse, type CaseProcess, type CaseSpan, type CaseThread } from './caseThread.js';
import { type OpArgs, type OpHandlers, returned } from './opHandler.js';
import { placesOf } from './placesOf.js';

/** Errors of CUDA and HIP by the codes that the driver replies. */
const API_ERRORS: Readonly<Record<number, string>> = { 1: 'invalid_value', 101: 'invalid_device' };

/** Pages of a buffer of `alloc_and_register` that says nothing of them: many small buffers are what it is about. */
export const ALLOC_PAGES = 1;

interface SpanArgs {
  readonly proc?: string | undefined;
  readonly dev?: string | undefined;
  readonly buf: string;
  readonly off: number;
  readonly pages?: number | undefined;
}

type Place = Pick<CaseSpan, 'page' | 'npages'>;

function isDevice(place: string): boolean {
  return place.startsWith('gpu');
}

/** A call about a span, with one value; without a device it is -1. */
function* call(
  thread: CaseThread,
  request: IoctlRequest,
  { page, npages }: Place,
  dev: string | undefined,
  value: unknown,
  a = 0,
): Steps<CallReply> {
  const device = dev === undefined ? -1 : thread.device(dev);
  thread.host.payload.put(value);
  return yield* thread.host.ioctl(request, device, page, npages, a, 0);
}

function* onSpan(
  thread: CaseThread,
  request: IoctlRequest,
  args: SpanArgs,
  value: unknown,
): Steps<StepResult> {
  const span = thread.span(yield* thread.enter(args.proc), args);
  return returned((yield* call(thread, request, span, args.dev, value)).errno);
}

/** About the whole process. */
function* onProcess(
  thread: CaseThread,
  request: IoctlRequest,
  { proc, dev }: { proc?: string | undefined; dev?: string | undefined },
  value: unknown,
  a = 0,
): Steps<StepResult> {
  const page = thread.unused(yield* thread.enter(proc));
  return returned((yield* call(thread, request, { page, npages: 1 }, dev, value, a)).errno);
}

/** A code of the API, where the call itself went well. */
function codeOf({ errno, a }: CallReply): StepResult {
  return errno === Errno.OK && a !== 0 ? { ret: API_ERRORS[a] ?? a } : returned(errno);
}

/** From a page and a byte of a buffer or an address on, so many bytes or pages; without either to the end of the buffer. */
function prefetchSpan(thread: CaseThread, process: CaseProcess, args: OpArgs['prefetch']): Place {
  const { buf, off = 0, pages, addr, byte_off: byteOff = 0, bytes } = args;
  const length = bytes ?? (pages === undefined ? undefined : pages * PAGE_BYTES);
  if (buf === undefined) return bytesAt((addr ?? 0) + off * PAGE_BYTES + byteOff, length ?? 0);
  const buffer = thread.buffer(process, buf);
  const first = off * PAGE_BYTES + byteOff;
  return bytesAt(buffer.start * PAGE_BYTES + first, length ?? Math.max(0, buffer.pages * PAGE_BYTES - first));
}

/** The pages that hold these bytes. */
function bytesAt(address: number, bytes: number): Place {
  if (address < 0) throw new CaseMisuse(`address ${address} is none`);
  const first = Math.floor(address / PAGE_BYTES);
  return { page: vpn(first), npages: bytes === 0 ? 0 : pagesFor(address + bytes) - first };
}

function* advisePreferred(thread: CaseThread, args: OpArgs['advise_preferred_location']): Steps<StepResult> {
  const span = thread.span(yield* thread.enter(args.proc), args);
  let last = (yield* call(thread, IoctlRequest.madvisePreferred, span, args.dev, args.target)).errno;
  for (const text of args.fallback ?? []) {
    if (last === Errno.OK) break;
    const fallback = parseFallback(text);
    if (fallback === null || (fallback.after !== null && fallback.after !== errnoName(last))) continue;
    last = (yield* call(thread, IoctlRequest.madvisePreferred, span, args.dev, fallback.place)).errno;
  }
  return returned(last);
}

function* register(
  thread: CaseThread,
  span: Place,
  dev: string,
  request: SvmRequest,
  retries: number,
): Steps<StepResult> {
  let errno: Errno = Errno.OK;
  for (let attempt = 0; attempt <= retries; attempt++) {
    ({ errno } = yield* call(thread, IoctlRequest.svmSetAttr, span, dev, request));
    if (errno === Errno.OK) break;
  }
  return returned(errno);
}

/** Each range in bytes; a range of no bytes is its whole buffer. */
function hintSpans(thread: CaseThread, process: CaseProcess, args: OpArgs['migrate_hint']): Place[] {
  const whole = (buf: string): Place => thread.span(process, { buf, off: 0 });
  const ranges = (args.ranges ?? []).map(([buf, first, bytes]) =>
    bytes === 0 ? whole(buf) : bytesAt(thread.buffer(process, buf).start * PAGE_BYTES + first, bytes),
  );
  return [...(args.bufs ?? []).map(whole), ...ranges];
}

/** The place, or the first device without one, if it has anything bound in the span; else one that has, or the same if none has. */
function* boundDevice(thread: CaseThread, { page, npages }: Place, place: string): Steps<string> {
  const first = isDevice(place) ? place : 'gpu0';
  for (const dev of [first, ...allDevices(thread)]) {
    const { vmMappings } = IoctlRequest;
    const { errno, a } = yield* thread.host.ioctl(vmMappings, thread.device(dev), page, npages, 0, 0);
    if (errno === Errno.OK && a > 0) return dev;
  }
  return first;
}

function allDevices({ host }: CaseThread): string[] {
  return Array.from({ length: host.deviceCount }, (_, i) => `gpu${i}`);
}

function* allocAndRegister(thread: CaseThread, args: OpArgs['alloc_and_register']): Steps<StepResult> {
  const process = yield* thread.enter(args.proc);
  const pages = args.pages ?? ALLOC_PAGES;
  const somewhere = { page: thread.unused(process), npages: pages };
  const dev = yield* boundDevice(thread, somewhere, args.prefetch);
  const request = { prefetch: args.prefetch, preferred: args.prefetch, access: dev };
  for (let i = 0; i < args.count; i++) {
    const place = thread.reserve(process, pages, 1);
    const page: number = yield* thread.host.mmap(
      place,
      pages,
      Prot.Read | Prot.Write,
      MapFlag.FixedNoReplace,
    );
    if (page < 0) return { ret: page };
    thread.addBuffer(process, `alloc${thread.mappedBuffers(process).length}`, vpn(page), pages);
    const result = yield* register(thread, { page: vpn(page), npages: pages }, dev, request, 3);
    if (result.ret !== 0) return result;
  }
  return { ret: 0 };
}

export const attributeOps: OpHandlers<
  | 'prefetch'
  | 'advise_preferred_location'
  | 'advise_atomic'
  | 'advise_access'
  | 'advise_granularity'
  | 'advise'
  | 'get_attr'
  | 'svm_register'
  | 'svm_set_attr'
  | 'svm_get_attr'
  | 'set_xnack'
  | 'create_queue'
  | 'destroy_queue'
  | 'migrate_hint'
  | 'alloc_and_register'
  | 'query_residency'
> = {
  /** Without a device it is the call of CUDA and HIP. */
  *prefetch(thread, args) {
    const process = yield* thread.enter(args.proc);
    const span = prefetchSpan(thread, process, args);
    return codeOf(yield* call(thread, IoctlRequest.svmPrefetch, span, args.dev, args.target));
  },

  advise_preferred_location: advisePreferred,

  advise_atomic: (thread, args) => onSpan(thread, IoctlRequest.madviseAtomic, args, args.mode),

  advise_access(thread, args) {
    const request: SvmRequest = args.mode === 'access' ? { access: args.dev } : { inPlace: args.dev };
    return onSpan(thread, IoctlRequest.svmSetAttr, args, request);
  },

  advise_granularity: (thread, args) =>
    onSpan(thread, IoctlRequest.svmSetAttr, args, { granularity: args.order }),

  *advise(thread, args) {
    const { buf, off, pages } = args;
    const span = thread.span(yield* thread.enter(args.proc), { buf, off, pages });
    const value = { advice: args.advice, place: args.dev ?? 'cpu' };
    return codeOf(yield* call(thread, IoctlRequest.managedAdvise, span, undefined, value));
  },

  *get_attr(thread, args) {
    const span = thread.span(yield* thread.enter(args.proc), args);
    const result = codeOf(yield* call(thread, IoctlRequest.managedGetAttr, span, undefined, args.attr));
    return result.ret === 0 ? { ...result, attr: thread.host.payload.get() } : result;
  },

  *svm_register(thread, args) {
    const span = thread.span(yield* thread.enter(args.proc), args);
    const { prefetch, preferred, flags, access, retry = 0 } = args;
    return yield* register(thread, span, args.dev, { prefetch, preferred, flags, access }, retry);
  },

  svm_set_attr(thread, args) {
    const { attrs } = args;
    const request: SvmRequest = {
      prefetch: attrs.prefetch_loc,
      preferred: attrs.preferred_loc,
      flags: attrs.flags,
      clearFlags: attrs.clear_flags,
      granularity: attrs.granularity,
      access: attrs.access,
      inPlace: attrs.access_in_place,
      noAccess: attrs.no_access,
    };
    return onSpan(thread, IoctlRequest.svmSetAttr, args, request);
  },

  *svm_get_attr(thread, args) {
    const span = thread.span(yield* thread.enter(args.proc), args);
    const { errno, a } = yield* call(thread, IoctlRequest.svmGetAttr, span, args.dev, args.attr);
    const mode = a === 0 ? 'xnack_off' : 'xnack_on';
    return errno === Errno.OK ? { ret: 0, attr: thread.host.payload.get(), mode } : returned(errno);
  },

  set_xnack: (thread, args) => onProcess(thread, IoctlRequest.setXnack, args, null, args.enabled ? 1 : 0),

  create_queue: (thread, args) => onProcess(thread, IoctlRequest.createQueue, args, args.queue),

  destroy_queue: (thread, args) => onProcess(thread, IoctlRequest.destroyQueue, args, args.queue),

  /** The first error counts, but all ranges are tried: it is a hint. */
  *migrate_hint(thread, args) {
    const process = yield* thread.enter(args.proc);
    const target = args.target ?? args.dev ?? 'sys';
    let ret: number = Errno.OK;
    for (const span of hintSpans(thread, process, args)) {
      const dev = args.dev ?? (yield* boundDevice(thread, span, target));
      const { errno } = yield* call(thread, IoctlRequest.svmPrefetch, span, dev, target);
      if (ret === Errno.OK) ret = errno;
    }
    return returned(ret);
  },

  alloc_and_register: allocAndRegister,

  *query_residency(thread, args) {
    const span = thread.span(yield* thread.enter(args.proc), args);
    const { errno } = yield* call(thread, IoctlRequest.queryResidency, span, undefined, null);
    if (errno !== Errno.OK) return returned(errno);
    return { ret: 0, residency: placesOf(thread.host.payload, span.npages), firstPage: span.firstPage };
  },
};
