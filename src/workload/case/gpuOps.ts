/** Operations of a case that a GPU of the reference driver carries out, as kernels. */

import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import type { CaseThread } from './caseThread.js';
import type { DeviceSpanArgs } from './deviceCommand.js';
import type { GpuCommand, GpuCommandResult } from './gpuCommand.js';
import type { OpHandlers } from './opHandler.js';
import { payloadPages } from './payloadPages.js';

/** Of kernels of commands: a workload of this kind has no other phase. */
const PHASE = 0;
/** What `unmapped:NAME` begins with: an address where NAME will be mapped, but is not yet. */
const UNMAPPED = 'unmapped:';
/** How often a polling kernel looks at each page for every second that a case wants it to run. */
const ROUNDS_PER_SECOND = 1;

/** Runs the command on a device, for the process that the thread runs. */
export function* launchCommand(thread: CaseThread, device: number, command: GpuCommand): Steps<StepResult> {
  const { host } = thread;
  host.payload.put(command);
  const ret = yield* host.launch(device, PHASE, 0, 0);
  const result = ret === 0 ? host.payload.get<GpuCommandResult>() : undefined;
  return result === undefined ? { ret } : { ret, ...result };
}

/** The device loads the span; the result has what it found. */
export function* launchRead(thread: CaseThread, args: DeviceSpanArgs): Steps<StepResult> {
  const { page, npages, firstPage } = thread.span(yield* thread.enter(args.proc), args);
  const { ret, faults = 0 } = yield* launchCommand(thread, thread.device(args.dev), {
    kind: 'read',
    page,
    npages,
  });
  return ret === 0 ? { ret, faults, cpages: npages, data: payloadPages(thread, npages), firstPage } : { ret };
}

interface UpdateArgs extends DeviceSpanArgs {
  readonly value: number;
}

/** Changes every dword; the result holds what was there before. */
function* update(thread: CaseThread, args: UpdateArgs, how: 'add' | 'xor'): Steps<StepResult> {
  const { page, npages, firstPage } = thread.span(yield* thread.enter(args.proc), args);
  const command: GpuCommand = { kind: 'update', page, npages, how, value: args.value };
  const { ret, faults = 0 } = yield* launchCommand(thread, thread.device(args.dev), command);
  return ret === 0 ? { ret, faults, dataBefore: payloadPages(thread, npages), firstPage } : { ret };
}

export const gpuOps: OpHandlers<
  | 'gpu_read'
  | 'gpu_write'
  | 'gpu_copy'
  | 'gpu_copy32'
  | 'gpu_store32'
  | 'gpu_store32_run'
  | 'gpu_add'
  | 'gpu_xor'
  | 'gpu_atomic_inc'
  | 'gpu_store_bytes'
  | 'gpu_prefetch_hint'
  | 'gpu_read_loop'
> = {
  gpu_read: launchRead,

  *gpu_write(thread, args) {
    const { page, npages, firstPage } = thread.span(yield* thread.enter(args.proc), args);
    const command: GpuCommand = { kind: 'write', page, npages, pattern: args.pattern, firstPage };
    const result = yield* launchCommand(thread, thread.device(args.dev), command);
    return result.ret === 0 ? { ...result, cpages: npages } : result;
  },

  *gpu_copy(thread, { proc, dev, src, src_off, dst, dst_off, pages }) {
    const process = yield* thread.enter(proc);
    const from = thread.buffer(process, src).start + src_off;
    const to = thread.buffer(process, dst).start + dst_off;
    return yield* launchCommand(thread, thread.device(dev), { kind: 'copy', from, to, npages: pages });
  },

  *gpu_copy32(thread, { proc, dev, src, src_dword, dst, dst_dword }) {
    const process = yield* thread.enter(proc);
    const from = thread.buffer(process, src).start;
    const to = thread.buffer(process, dst).start;
    const command: GpuCommand = { kind: 'copyDword', from, fromDword: src_dword, to, toDword: dst_dword };
    return yield* launchCommand(thread, thread.device(dev), command);
  },

  *gpu_store32(thread, { proc, dev, buf, dword, value }) {
    const page = thread.buffer(yield* thread.enter(proc), buf).start;
    return yield* launchCommand(thread, thread.device(dev), { kind: 'store', page, dword, count: 1, value });
  },

  *gpu_store32_run(thread, { proc, dev, buf, dword, count, value }) {
    const page = thread.buffer(yield* thread.enter(proc), buf).start;
    return yield* launchCommand(thread, thread.device(dev), { kind: 'store', page, dword, count, value });
  },

  gpu_add: (thread, args) => update(thread, args, 'add'),
  gpu_xor: (thread, args) => update(thread, args, 'xor'),

  *gpu_atomic_inc(thread, { proc, dev, buf, dword, count }) {
    const page = thread.buffer(yield* thread.enter(proc), buf).start;
    return yield* launchCommand(thread, thread.device(dev), { kind: 'increment', page, dword, count });
  },

  *gpu_store_bytes(thread, { proc, dev, buf, start, stride, value }) {
    const { page, npages } = thread.span(yield* thread.enter(proc), { buf, off: 0 });
    const command: GpuCommand = { kind: 'storeBytes', page, npages, start, stride, value };
    return yield* launchCommand(thread, thread.device(dev), command);
  },

  *gpu_prefetch_hint(thread, { proc, dev, addr, lanes }) {
    const process = yield* thread.enter(proc);
    const page = addr.startsWith(UNMAPPED) ? thread.unused(process) : thread.buffer(process, addr).start;
    return yield* launchCommand(thread, thread.device(dev), { kind: 'prefetchHint', page, lanes });
  },

  /** One reader for each buffer of the process; each leaves the value when it has read to its end. */
  *gpu_read_loop(thread, { proc, dev, seconds, on_stop_write }) {
    const buffers = thread.mappedBuffers(yield* thread.enter(proc));
    const pages = buffers.map(({ start }): number => start);
    const command: GpuCommand = { kind: 'readLoop', pages, rounds: seconds * ROUNDS_PER_SECOND };
    const result = yield* launchCommand(thread, thread.device(dev), command);
    if (result.ret === 0) for (const _ of pages) thread.readerResults.push(on_stop_write);
    return { ret: result.ret };
  },
};
