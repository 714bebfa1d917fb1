/** Pages of the process behind a GPU mapping: an interval notifier, and the DMA addresses that it takes away. */

import { Errno } from '../../base/errno.js';
import { type Vpn, vpn } from '../../base/units.js';
import { defaultContext, type GpuSvmContext } from '../../drm/gpusvm/gpusvm.js';
import { GpuSvmPages, PagesFlag } from '../../drm/gpusvm/pages.js';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  type NotifierRange,
} from '../../mm/mirror/mmuNotifier.js';
import type { Steps } from '../../sim/steps.js';
import type { GpuHandle } from '../gpuHandle.js';
import type { SvmVm } from '../svmVm.js';

const inNotifier: GpuSvmContext = { ...defaultContext, inNotifier: true };
/** No device page counts as own: all come home. */
const inRam: GpuSvmContext = { ...defaultContext, allowMixed: true };

/** Takes the GPU's entries of the mapping away; the notifier lock is held for write. */
export type UserptrUnbind = () => Steps<void>;

/** Guarded by the mirror's notifier lock. @kernel xe_userptr */
export class Userptr implements IntervalNotifierOps {
  readonly pages: GpuSvmPages;
  private readonly interval: IntervalNotifier;
  private registered = false;

  constructor(
    private readonly vm: SvmVm,
    private readonly gpu: GpuHandle,
    /** First page of the process's address space. */
    readonly start: Vpn,
    readonly npages: number,
    private readonly unbind: UserptrUnbind,
  ) {
    this.pages = new GpuSvmPages(gpu);
    this.interval = new IntervalNotifier(start, vpn(start + npages), this);
  }

  /** Not with mmap_lock held. Errors: -EINVAL, the process is gone; -EOVERFLOW. @kernel xe_userptr_setup */
  *register(): Steps<Errno> {
    const errno = yield* this.vm.mm.notifiers.insert(this.interval);
    this.registered = errno === Errno.OK;
    return errno;
  }

  /**
   * Afterwards the device has no way to the pages. The notifier goes last: the pages are not pinned, so until the device has lost them it must
   * hear of their end. Nobody binds or pins them meanwhile. Not from a callback. @kernel xe_userptr_remove
   */
  *unregister(): Steps<void> {
    const { notifierLock } = this.vm.gpusvm;
    yield* notifierLock.write();
    yield* this.drop();
    notifierLock.writeUnlock();
    yield* this.vm.dma.freePages(this.vm.gpusvm, this.pages, this.npages);
    if (this.registered) yield* this.vm.mm.notifiers.remove(this.interval);
    this.registered = false;
  }

  /**
   * Faults the pages in and maps them for DMA, unless they are. Device pages of the device's own group are used where they lie, unless they cannot be
   * together; then they come home. Errors: -EFAULT (no mapping, or no access), -EPERM (not writable), -EBUSY, -ENOMEM.
   * @kernel xe_vma_userptr_pin_pages
   */
  *pin(): Steps<Errno> {
    if (!this.registered) return Errno.EFAULT;
    const errno = yield* this.getPages({ ...inRam, owner: this.gpu.owner });
    return errno === Errno.EOPNOTSUPP ? yield* this.getPages(inRam) : errno;
  }

  private *getPages(ctx: GpuSvmContext): Steps<Errno> {
    const { gpusvm, dma, mm } = this.vm;
    const end = vpn(this.start + this.npages);
    return yield* dma.getPages(gpusvm, this.pages, mm, this.interval, this.start, end, ctx);
  }

  /** It gets callbacks. */
  get isRegistered(): boolean {
    return this.registered;
  }

  /** Under the notifier lock: nothing has been invalidated since they were pinned. @kernel xe_vma_userptr_check_repin */
  get isPinned(): boolean {
    return this.pages.has(PagesFlag.HasDmaMapping);
  }

  /** The pages are about to go: out of the GPU's page table and TLB, then out of the IOMMU. @kernel xe_vma_userptr_invalidate */
  *invalidate(sub: IntervalNotifier, range: NotifierRange, curSeq: number): Steps<boolean> {
    if (!range.blockable) return false;
    const { notifierLock } = this.vm.gpusvm;
    yield* notifierLock.write();
    sub.setSeq(curSeq);
    yield* this.drop();
    notifierLock.writeUnlock();
    return true;
  }

  private *drop(): Steps<void> {
    const { gpusvm, dma } = this.vm;
    yield* this.unbind();
    yield* dma.unmapPages(gpusvm, this.pages, this.npages, inNotifier);
  }
}
