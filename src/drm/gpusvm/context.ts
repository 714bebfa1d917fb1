/** What a caller of drm_gpusvm wants of one call: its context. */

import { NO_OWNER, type PagemapOwner } from '../../mm/migrate/devPagemap.js';
import type { GpuSvmPages } from './pages.js';

/** HMM may fault on behalf of a range for this long before it gives up. @kernel HMM_RANGE_DEFAULT_TIMEOUT */
export const HMM_TIMEOUT_NS = 1_000_000_000;

/** Of one call; another one may want something else. @kernel drm_gpusvm_ctx */
export interface GpuSvmContext {
  /** Ranges of at most this many pages are only made where all pages are there already. @kernel drm_gpusvm_ctx.check_pages_threshold */
  readonly checkPagesThreshold: number;
  /** Pages that migrate for this call stay with their device for at least this long. @kernel drm_gpusvm_ctx.timeslice_ms */
  readonly timesliceNs: number;
  /** Whose device-private pages count as own. @kernel drm_gpusvm_ctx.device_private_page_owner */
  readonly owner: PagemapOwner;
  /** The caller is the invalidation callback and holds the notifier lock for write. @kernel drm_gpusvm_ctx.in_notifier */
  readonly inNotifier: boolean;
  /** The device will only read: neither area nor pages need to be writable. @kernel drm_gpusvm_ctx.read_only */
  readonly readOnly: boolean;
  /** Pages may move to device memory. @kernel drm_gpusvm_ctx.devmem_possible */
  readonly devmemPossible: boolean;
  /** Pages in RAM are an error. @kernel drm_gpusvm_ctx.devmem_only */
  readonly devmemOnly: boolean;
  /** Pages of several allocations, and of RAM, may be mapped together. @kernel drm_gpusvm_ctx.allow_mixed */
  readonly allowMixed: boolean;
  /** Other devices' objects of the same range, for which the pages that one HMM fault has found are mapped too; none unless told. */
  readonly others?: readonly SharedPages[];
}

/** Another device that mirrors a range, as far as a fault of one device serves it. */
export interface SharedPages {
  readonly pages: GpuSvmPages;
  /** It uses device pages of the context's owner as they are; otherwise it gets the pages only where all are in RAM. */
  readonly usesDevicePages: boolean;
}

export const defaultContext: GpuSvmContext = {
  checkPagesThreshold: 0,
  timesliceNs: 0,
  owner: NO_OWNER,
  inNotifier: false,
  readOnly: false,
  devmemPossible: false,
  devmemOnly: false,
  allowMixed: false,
};
