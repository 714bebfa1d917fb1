/** Operations of a case on memory by the CPU: loads and stores through the thread's own TLB. */

import { PAGE_WORDS, type Vpn, vpn } from '../../base/units.js';
import { contentOf, fillPage, type PageContent } from '../../case/pageContent.js';
import type { StepResult } from '../../case/stepResult.js';
import { holdPage } from '../../memory/accessPort.js';
import type { Steps } from '../../sim/steps.js';
import type { CaseSpan, CaseThread } from './caseThread.js';
import type { OpHandlers } from './opHandler.js';

/** Does one page while it is held; `index` counts from the start of the span. */
type PageWork = (words: Int32Array, base: number, index: number) => void;

const PAGE_BYTES_SHIFT = 2;

/** One page after the other; the negative errno of the first that cannot be accessed, else 0. */
export function* eachPage(
  thread: CaseThread,
  { page, npages }: { page: Vpn; npages: number },
  write: boolean,
  work: PageWork,
): Steps<number> {
  const { host } = thread;
  for (let i = 0; i < npages; i++) {
    const base = yield* holdPage(host, vpn(page + i), write);
    if (base < 0) return base;
    work(host.memory.words, base, i);
    host.release();
  }
  return 0;
}

/** What the CPU sees of a span. */
export function* readSpan(thread: CaseThread, span: CaseSpan): Steps<StepResult> {
  const data: PageContent[] = [];
  const ret = yield* eachPage(thread, span, false, (words, base) => data.push(contentOf(words, base)));
  return ret < 0 ? { ret } : { ret, data, firstPage: span.firstPage };
}

function* atDword(
  thread: CaseThread,
  args: { proc?: string | undefined; buf: string; dword: number },
  write: boolean,
  work: (words: Int32Array, at: number) => number,
): Steps<StepResult> {
  const process = yield* thread.enter(args.proc);
  const { start } = thread.buffer(process, args.buf);
  const page = vpn(start + Math.floor(args.dword / PAGE_WORDS));
  let value = 0;
  const ret = yield* eachPage(thread, { page, npages: 1 }, write, (words, base) => {
    value = work(words, base + (args.dword % PAGE_WORDS));
  });
  return ret < 0 ? { ret } : { ret, value };
}

export const cpuOps: OpHandlers<
  | 'cpu_write'
  | 'cpu_read'
  | 'cpu_store32'
  | 'cpu_load32'
  | 'cpu_add32'
  | 'cpu_add'
  | 'cpu_store_bytes'
  | 'read_bytes'
> = {
  *cpu_write(thread, args) {
    const span = thread.span(yield* thread.enter(args.proc), args);
    const ret = yield* eachPage(thread, span, true, (words, base, i) =>
      fillPage(words, base, args.pattern, span.firstPage + i),
    );
    return { ret };
  },

  *cpu_read(thread, args) {
    return yield* readSpan(thread, thread.span(yield* thread.enter(args.proc), args));
  },

  cpu_store32: (thread, args) =>
    atDword(thread, args, true, (words, at) => {
      Atomics.store(words, at, args.value);
      return args.value | 0;
    }),

  cpu_load32: (thread, args) => atDword(thread, args, false, (words, at) => Atomics.load(words, at)),

  cpu_add32: (thread, args) =>
    atDword(thread, args, true, (words, at) => (Atomics.add(words, at, args.value) + args.value) | 0),

  *cpu_add(thread, args) {
    const span = thread.span(yield* thread.enter(args.proc), args);
    const dataBefore: PageContent[] = [];
    const ret = yield* eachPage(thread, span, true, (words, base) => {
      dataBefore.push(contentOf(words, base));
      for (let at = base; at < base + PAGE_WORDS; at++) Atomics.add(words, at, args.value);
    });
    return ret < 0 ? { ret } : { ret, dataBefore, firstPage: span.firstPage };
  },

  *cpu_store_bytes(thread, { proc, buf, start, stride, value }) {
    const span = thread.span(yield* thread.enter(proc), { buf, off: 0 });
    const { bytes } = thread.host.memory;
    const ret = yield* eachPage(thread, span, true, (_, base, i) => {
      const first = i * PAGE_WORDS * 4;
      const skipped = first <= start ? start - first : (stride - ((first - start) % stride)) % stride;
      for (let at = skipped; at < PAGE_WORDS * 4; at += stride) bytes[base * 4 + at] = value;
    });
    return { ret };
  },

  *read_bytes(thread, { proc, buf }) {
    const span = thread.span(yield* thread.enter(proc), { buf, off: 0 });
    const bytes = new Uint8Array((span.npages * PAGE_WORDS) << PAGE_BYTES_SHIFT);
    const memory = thread.host.memory;
    const ret = yield* eachPage(thread, span, false, (_, base, i) => {
      const size = PAGE_WORDS << PAGE_BYTES_SHIFT;
      bytes.set(memory.bytes.subarray(base * 4, base * 4 + size), i * size);
    });
    return ret < 0 ? { ret } : { ret, bytes };
  },
};
