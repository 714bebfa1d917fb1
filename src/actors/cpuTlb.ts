/** A CPU thread's TLB: direct-mapped, flushed as a whole. */

import type { Vpn } from '../base/units.js';
import { NO_PFN, type Pfn } from '../memory/pfn.js';

const ENTRIES = 512;

export class CpuTlb {
  private readonly pages = new Float64Array(ENTRIES).fill(-1);
  /** pfn, or for a writable translation pfn + 2^22. */
  private readonly frames = new Int32Array(ENTRIES);
  private filled = false;

  /** The frame, or NO_PFN. */
  lookup(page: Vpn, write: boolean): Pfn {
    const slot = page & (ENTRIES - 1);
    if (this.pages[slot] !== page) return NO_PFN;
    const frame = this.frames[slot];
    if (write && frame < WRITABLE) return NO_PFN;
    return (frame & (WRITABLE - 1)) as Pfn;
  }

  fill(page: Vpn, pfn: Pfn, writable: boolean): void {
    const slot = page & (ENTRIES - 1);
    this.pages[slot] = page;
    this.frames[slot] = writable ? pfn + WRITABLE : pfn;
    this.filled = true;
  }

  flush(): void {
    if (!this.filled) return;
    this.pages.fill(-1);
    this.filled = false;
  }
}

const WRITABLE = 2 ** 22;
