/** What the host may ask of a GPU: the requests that the Coordinator sends to a Device. */

import type { Brand } from '../base/brand.js';
import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { PageArrayId } from '../memory/pageArrays.js';
import type { Steps } from '../sim/steps.js';
import type { SpaceId } from './gpuSpace.js';

/** A buffer object in one device's VRAM: names the allocation in requests to that device; positive. */
export type VramAllocationId = Brand<number, 'VramAllocationId'>;

/** An invalidation under way. */
export type TlbInvalidation = Brand<number, 'TlbInvalidation'>;

/** A bind under way. */
export type BindRequest = Brand<number, 'BindRequest'>;

/**
 * Handled one after another in the order in which they were sent, so a zap takes effect before any later request. Pages are named with their
 * address space, as `inSpace` makes them.
 */
export interface GpuPort {
  /** Allocates VRAM and writes its pfns to `pfns`. Error: -ENOMEM. */
  allocVram(npages: number, pfns: PageArrayId): Steps<VramAllocationId | Errno>;
  /** No page of the allocation is in use any more. */
  releaseVram(id: VramAllocationId): void;
  /**
   * Sends a request to write page-table entries for `npages` pages from the array of DMA addresses, of which entry j covers `1 << order` pages;
   * `write` allows stores, and `atomics` atomics, where the device can do them. The caller holds the notifier lock for read and has found the pages valid under it. It need not hold the lock any
   * longer: a zap that is sent later also comes later. The array belongs to the device until {@link finishBind} returns.
   */
  startBind(page: Vpn, npages: number, addrs: PageArrayId, write: boolean, atomics: boolean): BindRequest;
  /** Error: -ENOMEM for page tables; nothing is bound then. */
  finishBind(request: BindRequest): Steps<Errno>;
  /** Clears page-table entries. Accesses may still go through the TLB until a TLB invalidation is finished. */
  zap(page: Vpn, npages: number): void;
  /** Sends the invalidation; several GPUs can have one under way at the same time. */
  startTlbInvalidation(page: Vpn, npages: number): TlbInvalidation;
  /** On return no access of this GPU uses a translation for these pages that it read before the start. */
  finishTlbInvalidation(invalidation: TlbInvalidation): Steps<void>;
  /** The device has left the address space, in which nothing is bound any more; accesses there fault. It may join it again. */
  removeSpace(space: SpaceId): void;
  /**
   * Copies page i from address `src[i]` to `dst[i]`, both as this device sees them; `dst` 0 skips, `src` 0 fills with zeros. Errors: -EIO on
   * an address that is not mapped.
   */
  copy(src: PageArrayId, dst: PageArrayId, npages: number): Steps<Errno>;
}
