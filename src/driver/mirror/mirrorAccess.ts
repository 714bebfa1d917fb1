/** The loads and stores of a mirror device: through its page table, with rounds of faults where an entry is missing. */

import { Errno } from '../../base/errno.js';
import { PAGE_WORDS, type Vpn } from '../../base/units.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { Steps } from '../../sim/steps.js';
import type { MirrorContext } from './mirrorContext.js';
import type { MirrorFault, MirrorRequest } from './mirrorFault.js';
import { type MirrorResult, mirrorResult, type PageSink, type PageSource } from './mirrorResult.js';
import { MirrorTag } from './mirrorTable.js';

/** Does one page; `index` counts from the start of the command. */
type PageAccess = (index: number, words: Int32Array) => void;

export class MirrorAccess {
  constructor(private readonly faults: MirrorFault) {}

  /** Errors: those of `MirrorFault.fault` for reading. @kernel dmirror_read */
  *read(
    context: MirrorContext,
    start: Vpn,
    npages: number,
    sink: PageSink,
    mayDropLock: boolean,
  ): Steps<MirrorResult> {
    const request = { write: false, mayDropLock };
    return yield* this.access(context, start, npages, request, (i, words) => sink.take(i, words));
  }

  /** Errors: those of `MirrorFault.fault` for writing; the pages before the one that failed are written. @kernel dmirror_write */
  *write(context: MirrorContext, start: Vpn, npages: number, source: PageSource): Steps<MirrorResult> {
    const request = { write: true, mayDropLock: false };
    return yield* this.access(context, start, npages, request, (i, words) => source.fill(i, words));
  }

  /** Reads what the table has. Error: -ENOENT at the first page without an entry. @kernel dmirror_do_read */
  *readBack(context: MirrorContext, start: Vpn, npages: number, sink: PageSink): Steps<MirrorResult> {
    const take: PageAccess = (i, words) => sink.take(i, words);
    const done = yield* this.accessTable(context, start, 0, npages, false, take);
    return mirrorResult(done === npages ? Errno.OK : Errno.ENOENT, done);
  }

  /** Whether nothing of the span is held exclusively any more: -EPERM otherwise. @kernel dmirror_check_atomic */
  checkExclusive(context: MirrorContext, start: Vpn, npages: number): MirrorResult {
    for (let i = 0; i < npages; i++) {
      if (context.table.tagAt((start + i) as Vpn) === MirrorTag.Atomic) return mirrorResult(Errno.EPERM);
    }
    return mirrorResult(Errno.OK);
  }

  /** Each round faults all pages from the first missing one on. */
  private *access(
    context: MirrorContext,
    start: Vpn,
    npages: number,
    request: MirrorRequest,
    act: PageAccess,
  ): Steps<MirrorResult> {
    const { write } = request;
    const end = (start + npages) as Vpn;
    let faults = 0;
    let done = yield* this.accessTable(context, start, 0, npages, write, act);
    while (done < npages) {
      const errno = yield* this.faults.fault(context, (start + done) as Vpn, end, request);
      if (errno !== Errno.OK) return mirrorResult(errno);
      faults++;
      done = yield* this.accessTable(context, start, done, npages, write, act);
    }
    return mirrorResult(Errno.OK, npages, faults);
  }

  /** Goes on from page `done` of the command as far as the table allows; returns how many pages are done then. */
  private *accessTable(
    context: MirrorContext,
    start: Vpn,
    done: number,
    npages: number,
    write: boolean,
    act: PageAccess,
  ): Steps<number> {
    yield* context.mutex.lock();
    let at = done;
    for (; at < npages; at++) {
      const pfn = this.usablePfn(context, (start + at) as Vpn, write);
      if (pfn === NO_PFN) break;
      act(at, wordsOf(context, pfn));
    }
    context.mutex.unlock();
    return at;
  }

  /** A store needs an entry with the tag for it; one that is held for atomics only is not enough. */
  private usablePfn(context: MirrorContext, page: Vpn, write: boolean): Pfn {
    const { table } = context;
    return write && table.tagAt(page) !== MirrorTag.Write ? NO_PFN : table.pfnAt(page);
  }
}

function wordsOf(context: MirrorContext, pfn: Pfn): Int32Array {
  const { memory } = context.device.kernel;
  const at = memory.wordIndex(pfn);
  return memory.words.subarray(at, at + PAGE_WORDS);
}
