/** A snapshot of where a range's pages are, so that a needless migration is not begun. */

import { assert } from '../../base/assert.js';
import { Errno } from '../../base/errno.js';
import { AllocSite } from '../../memory/failureInjector.js';
import { HmmPfnFlag, hmmPfnAt, hmmPfnOrder, hmmPfnToPfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
import type { Hmm, HmmRange } from '../../mm/mirror/hmm.js';
import { PARK, type Steps } from '../../sim/steps.js';
import type { Zdd, ZddTable } from '../pagemap/devmem.js';
import type { DrmPagemap } from '../pagemap/drmPagemap.js';
import { HMM_TIMEOUT_NS } from './context.js';
import type { GpuSvm } from './gpusvm.js';
import { hmmRequest } from './hmmRequest.js';
import type { GpuSvmRange } from './range.js';

/** Where the pages of a range were when they were looked at. @kernel drm_gpusvm_scan_result */
export const ScanResult = {
  /** Some page is missing, or could not be looked at. @kernel DRM_GPUSVM_SCAN_UNPOPULATED */
  Unpopulated: 'unpopulated',
  /** All pages are in the wanted memory. @kernel DRM_GPUSVM_SCAN_EQUAL */
  Equal: 'equal',
  /** All pages are in the memory of one other device. @kernel DRM_GPUSVM_SCAN_OTHER */
  Other: 'other',
  /** All pages are in RAM. @kernel DRM_GPUSVM_SCAN_SYSTEM */
  System: 'system',
  /** The pages are in the memory of several devices. @kernel DRM_GPUSVM_SCAN_MIXED_DEVICE */
  MixedDevice: 'mixed-device',
  /** Some pages are in RAM, others in device memory. @kernel DRM_GPUSVM_SCAN_MIXED */
  Mixed: 'mixed',
} as const;
export type ScanResult = (typeof ScanResult)[keyof typeof ScanResult];

/** Advisory: nothing holds the pages where they were seen. */
export class ScanMm {
  constructor(
    private readonly kernel: Kernel,
    private readonly hmm: Hmm,
    private readonly zdds: ZddTable,
  ) {}

  /** Looks for at most a second, while others invalidate. @kernel drm_gpusvm_scan_mm */
  *scan(gpusvm: GpuSvm, range: GpuSvmRange, owner: PagemapOwner, wanted: DrmPagemap): Steps<ScanResult> {
    const { mm } = gpusvm;
    assert(mm !== null, 'a gpusvm without an address space has no ranges');
    const { sched } = this.kernel;
    const { interval } = range.notifier;
    if (this.kernel.allocationFails(AllocSite.MirrorObject)) return ScanResult.Unpopulated;
    const pfns = this.newPfns(range.npages);
    const request = hmmRequest(mm, interval, range.start, range.end, pfns, 0, owner);
    const deadlineNs = sched.now() + HMM_TIMEOUT_NS;
    for (;;) {
      const leftNs = deadlineNs - sched.now();
      if (leftNs <= 0) return ScanResult.Unpopulated;
      if ((yield* this.hmm.rangeFaultUnlocked(request, leftNs)) !== Errno.OK) return ScanResult.Unpopulated;
      const result = yield* this.look(gpusvm, request, wanted);
      if (result !== null) return result;
      pfns.fill(0);
    }
  }

  /** Zeroed: a walk keeps some bits of what it finds there, and takes others for requests. */
  newPfns(npages: number): Uint32Array {
    return new Uint32Array(npages);
  }

  /** Null when an invalidation has come: the pfns carry no references, and mean something only under the lock while none has. */
  *look(
    gpusvm: GpuSvm,
    { notifier, notifierSeq, pfns }: HmmRange,
    wanted: DrmPagemap,
  ): Steps<ScanResult | null> {
    if (!gpusvm.notifierLock.beginRead()) yield PARK;
    const result = notifier.readRetry(notifierSeq) ? null : this.classify(pfns, wanted);
    gpusvm.notifierLock.readUnlock();
    return result;
  }

  classify(pfns: Uint32Array, wanted: DrmPagemap): ScanResult {
    const { layout } = this.kernel.memory;
    let system = 0;
    const pagemaps = new Set<DrmPagemap>();
    let last: Zdd | null = null;
    let next = 0;
    for (let i = 0; i < pfns.length; i = next) {
      const entry = hmmPfnAt(pfns, i);
      if ((entry & HmmPfnFlag.VALID) === 0) return ScanResult.Unpopulated;
      const pfn = hmmPfnToPfn(entry);
      // Pages of one leaf are pages of one folio, aligned alike.
      const leaf = 1 << hmmPfnOrder(entry);
      next = i + leaf - (pfn & (leaf - 1));
      if (!layout.isDevice(pfn)) {
        system++;
        continue;
      }
      const id = this.kernel.folios.zoneData(pfn);
      if (last !== null && last.id === id) continue;
      last = this.zdds.get(id);
      pagemaps.add(last.dpagemap);
    }
    if (pagemaps.size === 0) return ScanResult.System;
    if (system > 0) return ScanResult.Mixed;
    if (pagemaps.size > 1) return ScanResult.MixedDevice;
    return pagemaps.has(wanted) ? ScanResult.Equal : ScanResult.Other;
  }
}
