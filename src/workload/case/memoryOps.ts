/** Operations of a case that are memory calls of a process. */

import { Errno } from '../../base/errno.js';
import { PMD_PAGES, type Vpn, vpn } from '../../base/units.js';
import type { StepResult } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import { Advice, MapFlag, Prot, RemapFlag } from '../workload.js';
import type { CaseProcess, CaseThread } from './caseThread.js';
import { mappedFile } from './fileOps.js';
import { type OpArgs, type OpHandlers, returned } from './opHandler.js';

const PROTS = { none: Prot.None, r: Prot.Read, rw: Prot.Read | Prot.Write } as const;

const ADVICE = {
  dontneed: Advice.DontNeed,
  free: Advice.Free,
  hugepage: Advice.HugePage,
  nohugepage: Advice.NoHugePage,
  collapse: Advice.Collapse,
  dontfork: Advice.DontFork,
} as const;

/** Fixed alone means the start of a buffer that exists. Undefined for a new buffer. */
function offsetInBuffer(
  thread: CaseThread,
  process: CaseProcess,
  { buf, at_off: offset, fixed }: OpArgs['mmap'],
): number | undefined {
  return offset ?? (fixed === true && process.buffers.has(thread.expand(buf)) ? 0 : undefined);
}

/** Into a buffer that exists, replacing a part of it, or at a place of its own. */
function mapPlace(
  thread: CaseThread,
  process: CaseProcess,
  args: OpArgs['mmap'],
): { page: Vpn; flags: number } {
  const offset = offsetInBuffer(thread, process, args);
  if (offset !== undefined) {
    const { start } = thread.buffer(process, args.buf);
    return {
      page: vpn(start + offset),
      flags: args.fixed === true ? MapFlag.Fixed : MapFlag.FixedNoReplace,
    };
  }
  const align = Math.max(args.align_pages ?? 1, args.backing === 'hugetlb' ? PMD_PAGES : 1);
  return { page: thread.reserve(process, args.pages, align), flags: MapFlag.FixedNoReplace };
}

/** A part of it is mapped again. */
function remainBuffer(thread: CaseThread, process: CaseProcess, name: string): void {
  const { start, pages, isGone } = thread.buffer(process, name);
  if (isGone) thread.addBuffer(process, name, start, pages);
}

function* mapBuffer(thread: CaseThread, args: OpArgs['mmap']): Steps<StepResult> {
  const process = yield* thread.enter(args.proc);
  const file = yield* mappedFile(thread, args);
  const offset = offsetInBuffer(thread, process, args);
  const { page, flags } = mapPlace(thread, process, args);
  const kind =
    (args.share === 'shared' ? MapFlag.Shared : 0) |
    (args.locked === true ? MapFlag.Locked : 0) |
    (args.backing === 'hugetlb' ? MapFlag.Hugetlb : 0);
  // A part of a file's buffer shows the same part of the file.
  const fileOffset = file === 0 ? 0 : (offset ?? 0);
  const result = yield* thread.host.mmap(page, args.pages, PROTS[args.prot], flags | kind, file, fileOffset);
  if (result < 0) return { ret: result };
  if (offset === undefined) thread.addBuffer(process, args.buf, vpn(result), args.pages);
  else remainBuffer(thread, process, args.buf);
  return { ret: 0 };
}

function remapTarget(
  thread: CaseThread,
  process: CaseProcess,
  { to, dontunmap }: OpArgs['mremap'],
): { flags: number; target: Vpn } {
  const kept = dontunmap === true ? RemapFlag.DontUnmap : 0;
  if (to === 'fresh') return { flags: RemapFlag.MayMove | kept, target: vpn(0) };
  const target = vpn(thread.buffer(process, to.buf).start + to.off);
  return { flags: RemapFlag.MayMove | RemapFlag.Fixed | kept, target };
}

export const memoryOps: OpHandlers<'mmap' | 'munmap' | 'mprotect' | 'mremap' | 'madvise' | 'munmap_all'> = {
  mmap: mapBuffer,

  *munmap(thread, args) {
    const { page, npages } = thread.span(yield* thread.enter(args.proc), args);
    return returned(yield* thread.host.munmap(page, npages));
  },

  *mprotect(thread, args) {
    const { page, npages } = thread.span(yield* thread.enter(args.proc), args);
    return returned(yield* thread.host.mprotect(page, npages, PROTS[args.prot]));
  },

  /** To a fresh place means one that the case chooses, or a move of the same length would stay where it is. */
  *mremap(thread, args) {
    const process = yield* thread.enter(args.proc);
    const { page, npages } = thread.span(process, args);
    const { flags, target } = remapTarget(thread, process, args);
    const fixed = args.to === 'fresh' ? thread.reserve(process, npages, 1) : target;
    const how = args.to === 'fresh' ? flags | RemapFlag.Fixed : flags;
    const result = yield* thread.host.mremap(page, npages, npages, how, fixed);
    if (result < 0) return { ret: result };
    thread.addBuffer(process, args.new_buf, vpn(result), npages);
    return { ret: 0 };
  },

  *madvise(thread, args) {
    const { page, npages } = thread.span(yield* thread.enter(args.proc), args);
    return returned(yield* thread.host.madvise(page, npages, ADVICE[args.advice]));
  },

  *munmap_all(thread, { proc }) {
    const process = yield* thread.enter(proc);
    let ret: number = Errno.OK;
    for (const [name, buffer] of process.buffers) {
      if (buffer.isGone) continue;
      const errno = yield* thread.host.munmap(buffer.start, buffer.pages);
      if (ret === Errno.OK) ret = errno;
      process.buffers.set(name, { ...buffer, isGone: true });
    }
    return returned(ret);
  },
};
