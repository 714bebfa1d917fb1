/** The kernels of cases, one per command: what a GPU context does, access by access. */

import { Errno } from '../../base/errno.js';
import { PAGE_BYTES, PAGE_WORDS, type Vpn, vpn } from '../../base/units.js';
import { fillPage } from '../../case/pageContent.js';
import { type AccessPort, holdPage } from '../../memory/accessPort.js';
import type { CallPayload } from '../../memory/callPayload.js';
import { FaultKind } from '../../memory/faultKind.js';
import type { Steps } from '../../sim/steps.js';
import type { DeviceContext, DeviceKernel } from '../workload.js';
import { WorkloadStep } from '../workloadStep.js';
import { CountingContext } from './countingContext.js';
import type { GpuCommand, GpuCommandKind, GpuCommandResult } from './gpuCommand.js';
import { buildLists, listPool, verifyLists } from './linkedLists.js';

type CommandOf<K extends GpuCommandKind> = Extract<GpuCommand, { kind: K }>;

/** The errno of the first access that failed, else 0 or the command's count. */
type Kernel<K extends GpuCommandKind> = (
  context: DeviceContext,
  command: CommandOf<K>,
  payload: CallPayload,
) => Steps<number>;

/** Does its work on a page that is held; `index` counts pages from the start. */
type PageWork = (words: Int32Array, base: number, index: number) => void;

function* eachPage(
  port: DeviceContext,
  page: number,
  npages: number,
  write: boolean,
  work: PageWork,
): Steps<number> {
  for (let i = 0; i < npages; i++) {
    if (port.gate.isClosed) yield* port.gate.pass();
    const base = yield* holdPage(port, vpn(page + i), write);
    if (base < 0) return base;
    work(port.memory.words, base, i);
    port.release();
    yield WorkloadStep.page;
  }
  return 0;
}

/** Gets hold of one dword; its index in words, or an errno. */
function* holdDword(port: AccessPort, page: number, dword: number, write: boolean): Steps<number> {
  const base = yield* holdPage(port, vpn(page + Math.floor(dword / PAGE_WORDS)), write);
  return base < 0 ? base : base + (dword % PAGE_WORDS);
}

/** Gets hold of a page where the device can do atomics; its index in words, or an errno. */
function* holdForAtomic(context: DeviceContext, page: Vpn): Steps<number> {
  for (;;) {
    const base = context.tryAtomic(page);
    if (base >= 0) return base;
    const errno = yield* context.fault(page, true, FaultKind.Atomic);
    if (errno !== Errno.OK) return errno;
  }
}

function* storeBytes(context: DeviceContext, command: CommandOf<'storeBytes'>): Steps<number> {
  const { page, npages, start, stride, value } = command;
  const { bytes } = context.memory;
  return yield* eachPage(context, page, npages, true, (_, base, i) => {
    const first = i * PAGE_BYTES;
    const skipped = first <= start ? start - first : (stride - ((first - start) % stride)) % stride;
    for (let at = skipped; at < PAGE_BYTES; at += stride) bytes[base * 4 + at] = value;
  });
}

function* copyPages(context: DeviceContext, { from, to, npages }: CommandOf<'copy'>): Steps<number> {
  const held = new Int32Array(PAGE_WORDS);
  for (let i = 0; i < npages; i++) {
    let ret = yield* eachPage(context, from + i, 1, false, (words, base) => {
      held.set(words.subarray(base, base + PAGE_WORDS));
    });
    if (ret === 0) ret = yield* eachPage(context, to + i, 1, true, (words, base) => words.set(held, base));
    if (ret < 0) return ret;
  }
  return 0;
}

/** Each lane asks on its own. An address that cannot be served is dropped; how many were. */
function* prefetchHint(context: DeviceContext, { page, lanes }: CommandOf<'prefetchHint'>): Steps<number> {
  let dropped = 0;
  for (let lane = 0; lane < lanes; lane++) {
    if (context.tryPage(vpn(page), false) >= 0) {
      context.release();
      continue;
    }
    const errno = yield* context.fault(vpn(page), false, FaultKind.Prefetch);
    if (errno !== Errno.OK) dropped++;
  }
  return dropped;
}

const kernels: { readonly [K in GpuCommandKind]: Kernel<K> } = {
  *store(context, { page, dword, count, value }) {
    for (let i = 0; i < count; i++) {
      const at = yield* holdDword(context, page, dword + i, true);
      if (at < 0) return at;
      Atomics.store(context.memory.words, at, value);
      context.release();
    }
    return 0;
  },

  *increment(context, { page, dword, count }) {
    for (let i = 0; i < count; i++) {
      if (context.gate.isClosed) yield* context.gate.pass();
      const base = yield* holdForAtomic(context, vpn(page + Math.floor(dword / PAGE_WORDS)));
      if (base < 0) return base;
      Atomics.add(context.memory.words, base + (dword % PAGE_WORDS), 1);
      context.release();
      yield WorkloadStep.page;
    }
    return 0;
  },

  copy: copyPages,

  *copyDword(context, { from, fromDword, to, toDword }) {
    const source = yield* holdDword(context, from, fromDword, false);
    if (source < 0) return source;
    const value = context.memory.words[source];
    context.release();
    const target = yield* holdDword(context, to, toDword, true);
    if (target < 0) return target;
    context.memory.words[target] = value;
    context.release();
    return 0;
  },

  *update(context, { page, npages, how, value }, payload) {
    return yield* eachPage(context, page, npages, true, (words, base, i) => {
      payload.words.set(words.subarray(base, base + PAGE_WORDS), i * PAGE_WORDS);
      for (let at = base; at < base + PAGE_WORDS; at++) {
        if (how === 'add') words[at] += value;
        else words[at] ^= value;
      }
    });
  },

  *write(context, { page, npages, pattern, firstPage }) {
    return yield* eachPage(context, page, npages, true, (words, base, i) =>
      fillPage(words, base, pattern, firstPage + i),
    );
  },

  *read(context, { page, npages }, payload) {
    return yield* eachPage(context, page, npages, false, (words, base, i) =>
      payload.words.set(words.subarray(base, base + PAGE_WORDS), i * PAGE_WORDS),
    );
  },

  storeBytes,
  prefetchHint,

  /** Polls all pages in turn; how many it has read all the time. */
  *readLoop(context, { pages, rounds }) {
    for (let round = 0; round < rounds; round++) {
      for (const page of pages) {
        const ret = yield* eachPage(context, page, 1, false, () => {});
        if (ret < 0) return ret;
      }
    }
    return pages.length;
  },

  *buildLists(context, { page, lists, length }) {
    return yield* buildLists(context, listPool(page, lists, length));
  },

  *verifyLists(context, { page, lists, length }) {
    return yield* verifyLists(context, listPool(page, lists, length));
  },
};

function runCommand<K extends GpuCommandKind>(
  context: DeviceContext,
  command: CommandOf<K> & { readonly kind: K },
  payload: CallPayload,
): Steps<number> {
  return kernels[command.kind](context, command, payload);
}

/** The kernel of the command in the payload; one context does the work. The result goes into the payload. */
export function commandKernel(payload: CallPayload): DeviceKernel {
  const command = payload.get<GpuCommand>();
  return (context) => runAndTell(context, command, payload);
}

function* runAndTell(
  context: DeviceContext,
  command: GpuCommand | undefined,
  payload: CallPayload,
): Steps<Errno> {
  if (command === undefined) return Errno.EINVAL;
  if (context.index !== 0) return Errno.OK;
  const counting = new CountingContext(context);
  const ret = yield* runCommand(counting, command, payload);
  const result: GpuCommandResult = { value: Math.max(0, ret), faults: counting.faults };
  payload.put(result);
  return ret < 0 ? (ret as Errno) : Errno.OK;
}
