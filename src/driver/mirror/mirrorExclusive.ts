/** Exclusive access of a mirror device: pages that it alone reaches for a while, for atomic operations. */

import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { NO_PFN, type Pfn } from '../../memory/pfn.js';
import { NO_OWNER, type PagemapOwner } from '../../mm/migrate/devPagemap.js';
import type { Mm } from '../../mm/process/mm.js';
import type { Steps } from '../../sim/steps.js';
import type { MirrorAccess } from './mirrorAccess.js';
import { PIECE_PAGES } from './mirrorFault.js';
import { type MirrorResult, mirrorResult, type PageSink } from './mirrorResult.js';
import { MirrorTag } from './mirrorTable.js';
import type { MirrorView } from './mirrorView.js';
import type { MmUsers } from './mmUsers.js';

/** What the driver needs of the mm for it. */
export interface ExclusivePages {
  /**
   * Returns how many entries of `pages` it has filled: with a page, locked and referenced for the caller, or with 0 where the page could not
   * be had; or an errno. mmap_lock is held for read.
   * @kernel make_device_exclusive_range
   */
  makeRange(mm: Mm, start: Vpn, end: Vpn, pages: Uint32Array, owner: PagemapOwner): Steps<number>;
}

export class MirrorExclusive {
  constructor(
    private readonly pages: ExclusivePages,
    private readonly access: MirrorAccess,
    private readonly users: MmUsers,
  ) {}

  /**
   * Makes every page of the span exclusive, then reads the span back. Errors: -EINVAL (the process is gone), -EBUSY (some page could not be
   * had; pieces before it stay exclusive), -ENOENT (one was taken back meanwhile).
   * @kernel dmirror_exclusive
   */
  *exclusive(view: MirrorView, start: Vpn, npages: number, sink: PageSink): Steps<MirrorResult> {
    const { mm } = view;
    if (!mm.getNotZero()) return mirrorResult(Errno.EINVAL);
    const end = start + npages;
    let errno: Errno = Errno.OK;
    yield* mm.mmapLock.read();
    for (let at: number = start; at < end && errno === Errno.OK; at += PIECE_PAGES) {
      errno = yield* this.piece(view, at as Vpn, Math.min(end, at + PIECE_PAGES) as Vpn);
    }
    mm.mmapLock.readUnlock();
    yield* this.users.mmput(mm);
    if (errno !== Errno.OK) return mirrorResult(errno);
    return yield* this.access.readBack(view, start, npages, sink);
  }

  /** The pages go into the table while they are still locked, so that none can be taken back before. */
  private *piece(view: MirrorView, start: Vpn, end: Vpn): Steps<Errno> {
    const npages = end - start;
    const pages = new Uint32Array(npages);
    const filled = yield* this.pages.makeRange(view.mm, start, end, pages, NO_OWNER);
    const mapped = filled === npages ? yield* mapAtomic(view, start, pages) : 0;
    this.letGo(view, pages, filled);
    return mapped === npages ? Errno.OK : Errno.EBUSY;
  }

  /** The device has them in its table: nobody needs the lock and the reference any more. */
  letGo(view: MirrorView, pages: Uint32Array, filled: number): void {
    const { folioLocks, folios } = view.device.kernel;
    for (let i = 0; i < filled; i++) {
      const pfn = pages[i] as Pfn;
      if (pfn === NO_PFN) continue;
      folioLocks.unlock(pfn);
      folios.put(pfn);
    }
  }
}

/** Returns how many entries there were to map. @kernel dmirror_atomic_map */
function* mapAtomic(view: MirrorView, start: Vpn, pages: Uint32Array): Steps<number> {
  let mapped = 0;
  yield* view.mutex.lock();
  for (let i = 0; i < pages.length; i++) {
    if (pages[i] === NO_PFN) continue;
    view.table.set((start + i) as Vpn, pages[i] as Pfn, MirrorTag.Atomic);
    mapped++;
  }
  view.mutex.unlock();
  return mapped;
}
