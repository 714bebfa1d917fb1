/** Writes a mapping's page-table entries on its device, and takes them away. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
import { inSpace } from '../../device/gpuSpace.js';
import { DmaDir, DmaProto, dmaAddr, dmaAddrAt, dmaOrder } from '../../memory/dmaAddr.js';
import { PAGE_ARRAY_PAGES, type PageArrayId, type PageArrayPool } from '../../memory/pageArrays.js';
import { STEP, type Steps } from '../../sim/steps.js';
import { DriverStep } from '../driverStep.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { SvmVm } from '../svmVm.js';
import type { BoMoves } from '../vram/boMoves.js';
import type { DriverVa } from './driverVa.js';
import type { VramBo } from './vramBo.js';

export class VaBinder {
  constructor(
    private readonly vm: SvmVm,
    private readonly gpu: GpuHandle,
    private readonly arrays: PageArrayPool,
    private readonly moves: BoMoves,
  ) {}

  /**
   * Makes a mapping usable, unless it is. The vm lock is held in either mode. Errors: those of pinning the process's pages; -ENOMEM for
   * page tables, -ENODEV for an object whose device was let go of. Nothing is bound after an error. @kernel xe_vma_rebind
   */
  *bind(va: DriverVa): Steps<Errno> {
    assert(va.kind !== 'mirror', 'a mirror is bound range by range');
    return va.bo === null ? yield* this.bindUserptr(va) : yield* this.bindBo(va, va.bo);
  }

  /** The object stays where it is until its entries are written: what evicts it finds them. @kernel xe_pf_begin */
  private *bindBo(va: DriverVa, bo: VramBo): Steps<Errno> {
    // A single one is only waited for.
    yield* bo.resv.lock();
    let errno = yield* this.moves.validate(bo);
    if (errno === Errno.OK) errno = yield* this.publish(va);
    bo.resv.unlock();
    return errno;
  }

  private *bindUserptr(va: DriverVa): Steps<Errno> {
    const { sched } = this.vm.kernel;
    for (;;) {
      const pinned = va.userptr === null ? Errno.OK : yield* va.userptr.pin();
      if (pinned !== Errno.OK) return pinned;
      if (va.userptr !== null && sched.reach(DriverStep.userptrPinned, va.start, va.npages, this.gpu.index))
        yield STEP;
      const errno = yield* this.publish(va);
      if (errno !== Errno.EAGAIN) return errno;
    }
  }

  /**
   * The commit rule: while the notifier lock is held for read the pages stay pinned, and entries may lead to them. -EAGAIN when the pages
   * were invalidated meanwhile.
   */
  private *publish(va: DriverVa): Steps<Errno> {
    const { sched } = this.vm.kernel;
    const { notifierLock } = this.vm.gpusvm;
    // Before the lock: waiting for an array may not hold up an invalidation.
    const array = yield* this.arrays.borrow();
    yield* notifierLock.read();
    let errno: Errno = Errno.OK;
    if (!this.mayPublish(va)) errno = Errno.EAGAIN;
    else if (!va.bound) {
      if (sched.reach(DriverStep.bind, va.start, va.npages, this.gpu.index)) yield STEP;
      errno = yield* this.writeEntries(va, array);
      va.bound = errno === Errno.OK;
      if (va.bound) va.setInvalidated(false);
      // Accesses may have gone through the entries of earlier requests.
      if (errno !== Errno.OK) yield* this.zap(va.start, va.end);
      sched.at(DriverStep.bound, va.start, va.npages, this.gpu.index, errno);
    }
    notifierLock.readUnlock();
    this.arrays.giveBack(array);
    return errno;
  }

  /** Nothing has been invalidated since the pages were pinned; the notifier lock is held. @kernel xe_pt_userptr_pre_commit */
  mayPublish({ userptr }: DriverVa): boolean {
    return userptr === null || userptr.isPinned;
  }

  private *writeEntries(va: DriverVa, array: PageArrayId): Steps<Errno> {
    if (va.isSparse) return yield* this.writeNothing(va, array);
    const addrs = this.addressesOf(va);
    for (let at = 0, done = 0; done < va.npages; ) {
      const { entries, npages } = this.nextPart(addrs, at, va.npages - done);
      this.arrays.arrays.view(array).set(addrs.subarray(at, at + entries));
      const errno = yield* this.write(va.start + done, npages, array);
      if (errno !== Errno.OK) return errno;
      at += entries;
      done += npages;
    }
    return Errno.OK;
  }

  /** All pages lead to the same, so one array serves all requests: such a mapping may be as large as the address space. */
  private *writeNothing(va: DriverVa, array: PageArrayId): Steps<Errno> {
    const nothing = dmaAddr(DmaProto.Null, this.vm.kernel.zeroPage, DmaDir.Bidirectional);
    this.arrays.arrays.view(array).fill(nothing);
    for (let page = va.start; page < va.end; page += PAGE_ARRAY_PAGES) {
      const errno = yield* this.write(page, Math.min(PAGE_ARRAY_PAGES, va.end - page), array);
      if (errno !== Errno.OK) return errno;
    }
    return Errno.OK;
  }

  private *write(page: number, npages: number, array: PageArrayId): Steps<Errno> {
    const { port } = this.gpu;
    return yield* port.finishBind(port.startBind(this.tagged(page), npages, array, true, true));
  }

  /** As many addresses as one request takes, from `at` on, and the pages that they cover: an address may stand for several. */
  private nextPart(addrs: Uint32Array, at: number, left: number): { entries: number; npages: number } {
    let npages = 0;
    let end = at;
    while (npages < left) {
      const covered = 1 << dmaOrder(dmaAddrAt(addrs, end));
      if (npages + covered > PAGE_ARRAY_PAGES) break;
      npages += covered;
      end++;
    }
    return { entries: end - at, npages };
  }

  private addressesOf(va: DriverVa): Uint32Array {
    const { bo, userptr } = va;
    if (userptr !== null) {
      assert(userptr.pages.dmaAddrs !== null, 'pinned pages have addresses');
      return userptr.pages.dmaAddrs;
    }
    assert(bo !== null, 'a mirror is bound as a whole');
    const end = va.offset + va.npages;
    if (bo.gpu !== this.gpu) return Uint32Array.from(bo.attach(this.gpu).slice(va.offset, end));
    return bo.pfns.subarray(va.offset, end).map((pfn) => dmaAddr(DmaProto.Vram, pfn, DmaDir.Bidirectional));
  }

  /** Takes the entries of some pages of a mapping away; on return no access goes through them. @kernel xe_vm_invalidate_vma */
  *zap(start: number, end: number): Steps<void> {
    const { port, index } = this.gpu;
    const first = this.tagged(start);
    port.zap(first, end - start);
    this.vm.kernel.sched.at(DriverStep.zap, start, end - start, index);
    yield* port.finishTlbInvalidation(port.startTlbInvalidation(first, end - start));
  }

  /** As the device knows the page. */
  private tagged(page: number): Vpn {
    return inSpace(this.vm.space, vpn(page));
  }
}
