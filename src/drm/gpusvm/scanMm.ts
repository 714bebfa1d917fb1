/** A snapshot of where a range's pages are, so that a needless migration is not begun. */

import { Errno } from '../../base/errno.js';
import { HmmPfnFlag, hmmPfnAt, hmmPfnToPfn } from '../../memory/pfn.js';
import type { Kernel } from '../../mm/kernel.js';
import type { PagemapOwner } from '../../mm/migrate/devPagemap.js';
import type { Hmm } from '../../mm/mirror/hmm.js';
import type { Steps } from '../../sim/steps.js';
import type { ZddTable } from '../pagemap/devmem.js';
import type { DrmPagemap } from '../pagemap/drmPagemap.js';
import type { GpuSvm } from './gpusvm.js';
import type { GpuSvmRange } from './range.js';

/** `equal`: all in the wanted memory; `other`: all in one other device's. @kernel drm_gpusvm_scan_result */
export type ScanResult = 'unpopulated' | 'equal' | 'other' | 'system' | 'mixed-device' | 'mixed';

/** Advisory: nothing holds the pages where they were seen. */
export class ScanMm {
  constructor(
    private readonly kernel: Kernel,
    private readonly hmm: Hmm,
    private readonly zdds: ZddTable,
  ) {}

  /** @kernel drm_gpusvm_scan_mm */
  *scan(gpusvm: GpuSvm, range: GpuSvmRange, owner: PagemapOwner, wanted: DrmPagemap): Steps<ScanResult> {
    const { mm } = gpusvm;
    const { interval } = range.notifier;
    const pfns = new Uint32Array(range.npages);
    const request = gpusvm.hmmRange(interval, range.start, range.end, pfns, 0, owner);
    let errno: Errno;
    do {
      request.notifierSeq = yield* mm.notifiers.readBegin(interval);
      yield* mm.mmapLock.read();
      errno = yield* this.hmm.rangeFault(request);
      mm.mmapLock.readUnlock();
    } while (errno === Errno.EBUSY);
    if (errno !== Errno.OK) return 'unpopulated';
    // The pfns carry no references: they mean something only while no invalidation has come.
    return interval.readRetry(request.notifierSeq) ? 'unpopulated' : this.classify(pfns, wanted);
  }

  private classify(pfns: Uint32Array, wanted: DrmPagemap): ScanResult {
    const { layout } = this.kernel.memory;
    let system = 0;
    const pagemaps = new Set<DrmPagemap>();
    for (let i = 0; i < pfns.length; i++) {
      const entry = hmmPfnAt(pfns, i);
      if ((entry & HmmPfnFlag.VALID) === 0) return 'unpopulated';
      const pfn = hmmPfnToPfn(entry);
      if (layout.isDevicePrivate(pfn)) pagemaps.add(this.zdds.get(this.kernel.folios.zoneData(pfn)).dpagemap);
      else system++;
    }
    if (pagemaps.size === 0) return 'system';
    if (system > 0) return 'mixed';
    if (pagemaps.size > 1) return 'mixed-device';
    return pagemaps.has(wanted) ? 'equal' : 'other';
  }
}
