/** get_user_pages: references to the pages behind a range of addresses, for code that will use them without the page table. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import type { Vpn } from '../../base/units.js';
import { FolioFlag } from '../../memory/folios.js';
import { MigratePfnFlag, migratePfn, migratePfnAt, type Pfn } from '../../memory/pfn.js';
import { ZoneKind } from '../../memory/zone.js';
import { defineStep, STEP, type Steps } from '../../sim/steps.js';
import { type Vma, VmFlag } from '../area/vma.js';
import type { FaultHandler, FaultOrRetry } from '../fault/fault.js';
import { FaultFlag } from '../fault/faultFlag.js';
import type { Kernel } from '../kernel.js';
import type { MigrateDevice } from '../migrate/migrateDevice.js';
import type { Mm } from '../process/mm.js';
import { type Pte, PteBit, pteAllows, pteFromWord, pteHas, pteIsHuge, ptePfn } from '../table/pte.js';
import { touchForWrite } from '../table/touch.js';

export const GupStep = {
  getPages: defineStep('gup.getPages', 'vpn', 'npages', 'flags', 'id'),
  fast: defineStep('gup.fast', 'vpn', 'npages', 'count', 'id'),
  fault: defineStep('gup.fault', 'vpn', 'flags', 'id'),
  home: defineStep('gup.home', 'pfn', 'errno'),
  done: defineStep('gup.done', 'vpn', 'npages', 'count', 'id'),
} as const;

/** @kernel gup_flags */
export const GupFlag = {
  /** The pages must be writable now. @kernel FOLL_WRITE */
  Write: 1,
  /** The bytes will be used, so the pages are pinned rather than only referenced. @kernel FOLL_PIN */
  Pin: 2,
  /** For long: pages that must stay movable go to ordinary RAM first. Only with Pin. @kernel FOLL_LONGTERM */
  LongTerm: 4,
} as const;

interface GupRequest {
  readonly mm: Mm;
  readonly start: Vpn;
  readonly npages: number;
  /** Of GupFlag. */
  readonly flags: number;
  readonly out: Uint32Array;
  /** Of FaultFlag, for all faults that it takes. */
  readonly faultFlags: number;
  /** Whether pages that are asked for to be written count as written. @kernel FOLL_TOUCH */
  readonly touches: boolean;
}

/** What a page table does not give yet. */
const NotYet = { Read: -1, Write: -2, Unshare: -3 } as const;

export class GetUserPages {
  constructor(
    private readonly kernel: Kernel,
    private readonly faults: FaultHandler,
    private readonly migrateDevice: MigrateDevice,
  ) {}

  /**
   * Fills `out` with the pages of the range, each referenced or pinned, and returns how many there are: fewer than asked where one could not be
   * had, and the errno where that is the first. Errors: -EFAULT for no mapping, no permission or a failed fault, -ENOMEM, -EBUSY for a page
   * that cannot leave its device. mmap_lock is held for read.
   * @kernel get_user_pages, pin_user_pages
   */
  *getUserPages(mm: Mm, start: Vpn, npages: number, flags: number, out: Uint32Array): Steps<number> {
    return yield* this.get({
      mm,
      start,
      npages,
      flags,
      out,
      faultFlags: 0,
      touches: (flags & GupFlag.Pin) === 0,
    });
  }

  /** @kernel __gup_longterm_locked */
  private *get(request: GupRequest): Steps<number> {
    const { mm, start, npages, flags, out } = request;
    mm.mmapLock.assertHeld();
    assert(
      (flags & GupFlag.LongTerm) === 0 || (flags & GupFlag.Pin) !== 0,
      'a long-term reference must be a pin',
    );
    assert(out.length >= npages, 'too few places for the pages');
    if (this.kernel.sched.reach(GupStep.getPages, start, npages, flags, mm.id)) yield STEP;
    let got = yield* this.getAll(request);
    while (got > 0 && (flags & GupFlag.LongTerm) !== 0) {
      const errno = yield* this.bringHome(out, got, flags);
      if (errno === Errno.OK) break;
      if (errno !== Errno.EAGAIN) return errno;
      got = yield* this.getAll(request);
    }
    this.kernel.sched.at(GupStep.done, start, npages, got, mm.id);
    return got;
  }

  /**
   * The same without a lock for what the page table allows as it is; the rest under mmap_lock, which it drops to wait for a handler in user space
   * or a page's lock. @kernel get_user_pages_fast, pin_user_pages_fast
   */
  *getUserPagesFast(mm: Mm, start: Vpn, npages: number, flags: number, out: Uint32Array): Steps<number> {
    const fast = this.grabPresent(mm, start, npages, flags, out);
    if (this.kernel.sched.reach(GupStep.fast, start, npages, fast, mm.id)) yield STEP;
    if (fast === npages) return fast;
    yield* mm.mmapLock.read();
    const slow = yield* this.get({
      mm,
      start: (start + fast) as Vpn,
      npages: npages - fast,
      flags,
      out: out.subarray(fast),
      faultFlags: FaultFlag.AllowRetry,
      touches: true,
    });
    mm.mmapLock.readUnlock();
    return slow < 0 ? (fast > 0 ? fast : slow) : fast + slow;
  }

  /** Gives back what one of the calls above has given, with the same flags. @kernel put_page, unpin_user_page */
  release(pages: Uint32Array, npages: number, flags: number): void {
    for (let i = 0; i < npages; i++) this.letGo(pages[i] as Pfn, flags);
  }

  /** @kernel __get_user_pages_locked */
  private *getAll(request: GupRequest): Steps<number> {
    const { mm, start, npages, flags, out } = request;
    const marks = request.touches && (flags & GupFlag.Write) !== 0;
    let { faultFlags } = request;
    for (let i = 0; i < npages; ) {
      const page = (start + i) as Vpn;
      const vma = mm.vmas.find(page);
      if (vma === null || !allowsAccess(vma, flags)) return i > 0 ? i : Errno.EFAULT;
      const found = this.follow(pteFromWord(mm.pageTable.get(page)), vma, flags);
      if (found >= 0) {
        if (marks && !vma.isHugetlb) touchForWrite(this.kernel, mm, page);
        out[i++] = found;
        faultFlags = request.faultFlags;
        continue;
      }
      const errno = yield* this.fault(mm, vma, page, found, faultFlags);
      if (errno === Errno.EAGAIN) {
        faultFlags |= FaultFlag.Tried;
        yield* mm.mmapLock.read();
      } else if (errno !== Errno.OK) {
        return i > 0 ? i : errno;
      }
    }
    return npages;
  }

  /** @kernel faultin_page */
  private *fault(mm: Mm, vma: Vma, page: Vpn, need: number, faultFlags: number): Steps<FaultOrRetry> {
    const write = need === NotYet.Write;
    const flags = need === NotYet.Unshare ? FaultFlag.Unshare : 0;
    if (this.kernel.sched.reach(GupStep.fault, page, write ? 1 : flags, mm.id)) yield STEP;
    return yield* this.faults.handle(mm, vma, page, write, flags | faultFlags);
  }

  /** Under the page-table lock: the page with its reference, or what must happen first. @kernel follow_page_pte */
  private follow(pte: Pte, vma: Vma | null, flags: number): number {
    if (!pteAllows(pte, false)) return (flags & GupFlag.Write) !== 0 ? NotYet.Write : NotYet.Read;
    const writable = pteHas(pte, PteBit.Write);
    if ((flags & GupFlag.Write) !== 0 && !writable) return NotYet.Write;
    if (this.mustUnshare(pte, vma, flags)) return NotYet.Unshare;
    this.grab(ptePfn(pte), flags);
    return ptePfn(pte);
  }

  /**
   * A page that is only read through a pin must be this process's alone: the next write to a shared one would give the process a copy, and
   * leave the pin with the old page. @kernel gup_must_unshare
   */
  private mustUnshare(pte: Pte, vma: Vma | null, flags: number): boolean {
    const { folios } = this.kernel;
    // What maps the whole folio is exclusive as its head is.
    const pfn = pteIsHuge(pte) ? folios.headOf(ptePfn(pte)) : ptePfn(pte);
    if ((flags & (GupFlag.Write | GupFlag.Pin)) !== GupFlag.Pin) return false;
    if (folios.testFlag(pfn, FolioFlag.Anon)) return !folios.testFlag(pfn, FolioFlag.AnonExclusive);
    if ((flags & GupFlag.LongTerm) === 0) return false;
    return vma === null || (vma.flags & VmFlag.Shared) === 0;
  }

  /** The zero page needs no pin: nobody writes to it, and it never goes. @kernel try_grab_folio */
  private grab(pfn: Pfn, flags: number): void {
    const { folios, pins } = this.kernel;
    if ((flags & GupFlag.Pin) === 0) folios.get(pfn);
    else if (!this.kernel.isZeroPage(pfn)) pins.pin(folios.headOf(pfn));
  }

  private letGo(pfn: Pfn, flags: number): void {
    const { folios, pins, swapCache } = this.kernel;
    if ((flags & GupFlag.Pin) !== 0) {
      if (!this.kernel.isZeroPage(pfn)) pins.unpin(folios.headOf(pfn));
      return;
    }
    swapCache.put(pfn);
  }

  /** Atomic: how many pages from `start` on the page table gives without any fault. @kernel gup_fast_pte_range */
  private grabPresent(mm: Mm, start: Vpn, npages: number, flags: number, out: Uint32Array): number {
    for (let i = 0; i < npages; i++) {
      const pte = pteFromWord(mm.pageTable.get(start + i));
      const movable =
        (flags & GupFlag.LongTerm) !== 0 && pteAllows(pte, false) && this.isCoherent(ptePfn(pte));
      const found = movable ? NotYet.Read : this.follow(pte, null, flags);
      if (found < 0) return i;
      out[i] = found;
    }
    return npages;
  }

  private isCoherent(pfn: Pfn): boolean {
    return this.kernel.memory.layout.zoneOf(pfn).kind === ZoneKind.DeviceCoherent;
  }

  /**
   * A device that lends its memory wants it back some day, so it is not pinned for long. OK if all pages may stay pinned; -EAGAIN after some
   * went home, when nothing is pinned any more; -EBUSY if one could not. @kernel check_and_migrate_movable_pages
   */
  private *bringHome(pages: Uint32Array, npages: number, flags: number): Steps<Errno> {
    const movable: Pfn[] = [];
    for (let i = 0; i < npages; i++) if (this.isCoherent(pages[i] as Pfn)) movable.push(pages[i] as Pfn);
    if (movable.length === 0) return Errno.OK;
    const { folios } = this.kernel;
    for (const pfn of movable) folios.get(pfn);
    this.release(pages, npages, flags);
    let errno: Errno = Errno.OK;
    for (const pfn of movable) {
      if (errno !== Errno.OK) {
        folios.put(pfn);
        continue;
      }
      errno = yield* this.migrateHome(pfn);
      this.kernel.sched.at(GupStep.home, pfn, errno);
    }
    return errno === Errno.OK ? Errno.EAGAIN : errno;
  }

  /** Consumes a reference. Waits for whoever has the page locked. @kernel migrate_device_coherent_folio */
  private *migrateHome(pfn: Pfn): Steps<Errno> {
    const { memory, folioLocks } = this.kernel;
    yield* folioLocks.lock(pfn);
    const src = new Uint32Array([migratePfn(pfn, MigratePfnFlag.MIGRATE)]);
    const dst = new Uint32Array(1);
    if ((yield* this.migrateDevice.unmap(src, 1)) === 0) return Errno.EBUSY;
    const to = this.kernel.allocPage();
    if (to !== 0) {
      folioLocks.lockNew(to);
      dst[0] = migratePfn(to, 0);
    }
    yield* this.migrateDevice.pages(src, dst, 1);
    const moved = (migratePfnAt(src, 0) & MigratePfnFlag.MIGRATE) !== 0;
    if (moved) memory.copyPages(to, pfn, 1);
    yield* this.migrateDevice.finalize(src, dst, 1);
    return moved ? Errno.OK : Errno.EBUSY;
  }
}

/** @kernel check_vma_flags */
function allowsAccess(vma: Vma, flags: number): boolean {
  return (flags & GupFlag.Write) !== 0 ? vma.isWritable : vma.isReadable;
}
