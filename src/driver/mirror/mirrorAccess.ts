/** The loads and stores of a mirror device: through its page table, with rounds of faults where an entry is missing. */

import { Errno } from '../../base/errno.js';
import { PAGE_WORDS, type Vpn } from '../../base/units.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import type { Steps } from '../../sim/steps.js';
import type { MirrorFault, MirrorRequest } from './mirrorFault.js';
import { type MirrorResult, mirrorResult, type PageSink, type PageSource } from './mirrorResult.js';
import { MirrorTag } from './mirrorTable.js';
import type { MirrorView } from './mirrorView.js';

/** Does one page; `index` counts from the start of the command. */
type PageAccess = (index: number, words: Int32Array) => void;

export class MirrorAccess {
  constructor(private readonly faults: MirrorFault) {}

  /** Errors: those of `MirrorFault.fault` for reading. @kernel dmirror_read */
  *read(
    view: MirrorView,
    start: Vpn,
    npages: number,
    sink: PageSink,
    mayDropLock: boolean,
  ): Steps<MirrorResult> {
    const request = { write: false, mayDropLock };
    return yield* this.access(view, start, npages, request, (i, words) => sink.take(i, words));
  }

  /** Errors: those of `MirrorFault.fault` for writing; the pages before the one that failed are written. @kernel dmirror_write */
  *write(view: MirrorView, start: Vpn, npages: number, source: PageSource): Steps<MirrorResult> {
    const request = { write: true, mayDropLock: false };
    return yield* this.access(view, start, npages, request, (i, words) => source.fill(i, words));
  }

  /** Reads what the table has. Error: -ENOENT at the first page without an entry. @kernel dmirror_do_read */
  *readBack(view: MirrorView, start: Vpn, npages: number, sink: PageSink): Steps<MirrorResult> {
    const take: PageAccess = (i, words) => sink.take(i, words);
    const done = yield* this.accessTable(view, start, 0, npages, false, take);
    return mirrorResult(done === npages ? Errno.OK : Errno.ENOENT, done);
  }

  /** Whether nothing of the span is held exclusively any more: -EPERM otherwise. @kernel dmirror_check_atomic */
  checkExclusive(view: MirrorView, start: Vpn, npages: number): MirrorResult {
    for (let i = 0; i < npages; i++) {
      if (view.table.tagAt((start + i) as Vpn) === MirrorTag.Atomic) return mirrorResult(Errno.EPERM);
    }
    return mirrorResult(Errno.OK);
  }

  /** Each round faults all pages from the first missing one on. */
  private *access(
    view: MirrorView,
    start: Vpn,
    npages: number,
    request: MirrorRequest,
    act: PageAccess,
  ): Steps<MirrorResult> {
    const { write } = request;
    const end = (start + npages) as Vpn;
    let faults = 0;
    let done = yield* this.accessTable(view, start, 0, npages, write, act);
    while (done < npages) {
      const errno = yield* this.faults.fault(view, (start + done) as Vpn, end, request);
      if (errno !== Errno.OK) return mirrorResult(errno);
      faults++;
      done = yield* this.accessTable(view, start, done, npages, write, act);
    }
    return mirrorResult(Errno.OK, npages, faults);
  }

  /** Goes on from page `done` of the command as far as the table allows; returns how many pages are done then. */
  private *accessTable(
    view: MirrorView,
    start: Vpn,
    done: number,
    npages: number,
    write: boolean,
    act: PageAccess,
  ): Steps<number> {
    yield* view.mutex.lock();
    let at = done;
    for (; at < npages; at++) {
      const pfn = this.usablePfn(view, (start + at) as Vpn, write);
      if (pfn === NO_PFN) break;
      act(at, wordsOf(view, pfn));
    }
    view.mutex.unlock();
    return at;
  }

  /** A store needs an entry with the tag for it; one that is held for atomics only is not enough. */
  private usablePfn(view: MirrorView, page: Vpn, write: boolean): Pfn {
    const { table } = view;
    return write && table.tagAt(page) !== MirrorTag.Write ? NO_PFN : table.pfnAt(page);
  }
}

function wordsOf(view: MirrorView, pfn: Pfn): Int32Array {
  const { memory } = view.device.kernel;
  const at = memory.wordIndex(pfn);
  return memory.words.subarray(at, at + PAGE_WORDS);
}
