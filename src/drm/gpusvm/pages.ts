/** The DMA state of one device's view of a range: what N:1 keeps N of. */

import { DmaDir, dmaAddrAt, dmaDir } from '../../memory/dmaAddr.js';
import { DmaIovaState } from '../../memory/dmaIova.js';
import type { DrmDevice } from '../drmDevice.js';
import type { DrmPagemap } from '../pagemap/drmPagemap.js';

/** The state of one device's pages; one word, replaced as a whole. @kernel drm_gpusvm_pages_flags */
export const PagesFlag = {
  /** Mirror of the range's flag, since get-pages sees only the pages. Sticky. @kernel drm_gpusvm_pages_flags.unmapped */
  Unmapped: 1,
  /** Some of the pages are device memory, which is held. @kernel drm_gpusvm_pages_flags.has_devmem_pages */
  HasDevmemPages: 2,
  /** The addresses are valid. @kernel drm_gpusvm_pages_flags.has_dma_mapping */
  HasDmaMapping: 4,
} as const;

/** Never a sequence of a notifier: the pages were never valid. @kernel LONG_MAX */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** Guarded by the gpusvm's notifier lock. @kernel drm_gpusvm_pages */
export class GpuSvmPages {
  /** Entry j covers `1 << order` pages; the entries after those are unused. @kernel drm_gpusvm_pages.dma_addr */
  dmaAddrs: Uint32Array | null = null;
  /** The memory of the device pages among them; holds a reference while set. @kernel drm_gpusvm_pages.dpagemap */
  dpagemap: DrmPagemap | null = null;
  /** At which the pages were last known to be valid. @kernel drm_gpusvm_pages.notifier_seq */
  notifierSeq = NEVER;
  /** The reservation that the pages in RAM share, where the device has one. @kernel drm_gpusvm_pages.state */
  readonly state = new DmaIovaState();
  /** I/O pages of the reservation that are linked. @kernel drm_gpusvm_pages.state_offset */
  stateOffset = 0;
  /** Of {@link PagesFlag}; replaced as a whole. @kernel drm_gpusvm_pages.flags */
  flags = 0;

  /** Nothing is mapped, and no sequence was ever good. @kernel drm_gpusvm_init_pages */
  constructor(
    /** Owns the mappings. @kernel drm_gpusvm_pages.drm */
    readonly device: DrmDevice,
  ) {}

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** The device may only read through the present mapping: all of it was made by a context for reading. */
  get isMappedReadOnly(): boolean {
    if (!this.has(PagesFlag.HasDmaMapping) || this.dmaAddrs === null) return false;
    return dmaDir(dmaAddrAt(this.dmaAddrs, 0)) === DmaDir.ToDevice;
  }

  /** The mirror of the range's flag. */
  markUnmapped(): void {
    this.flags |= PagesFlag.Unmapped;
  }
}
