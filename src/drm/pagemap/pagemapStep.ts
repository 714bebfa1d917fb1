/** The named steps of migration through drm_pagemap. */

import { defineStep } from '../../sim/steps.js';

export const PagemapStep = {
  toDevmem: defineStep('pagemap.toDevmem', 'vpn', 'npages', 'device', 'id'),
  collected: defineStep('pagemap.collected', 'vpn', 'npages', 'count', 'ns'),
  populated: defineStep('pagemap.populated', 'vpn', 'npages', 'device'),
  /** `device` is the one that the run of pages came from; -1 for RAM and holes. */
  copied: defineStep('pagemap.copied', 'vpn', 'npages', 'device', 'ns'),
  /** Of the span's pages `count` had content, which is in the device's memory now. */
  copiedToDevice: defineStep('pagemap.copiedToDevice', 'device', 'npages', 'count', 'ns'),
  /** Of the span's pages the device has copied `count` to RAM. */
  copiedToRam: defineStep('pagemap.copiedToRam', 'device', 'npages', 'count', 'ns'),
  toDevmemDone: defineStep('pagemap.toDevmemDone', 'vpn', 'npages', 'device', 'ns'),
  /** All of it was in this memory, and stays where it is: `count`, of pages that moved, is 0. */
  alreadyThere: defineStep('pagemap.alreadyThere', 'vpn', 'npages', 'count', 'ns'),
  toDevmemFailed: defineStep('pagemap.toDevmemFailed', 'vpn', 'npages', 'errno', 'ns'),
  /** For a fault in the address space `id`, of a CPU or of the kernel for somebody. */
  toRam: defineStep('pagemap.toRam', 'vpn', 'npages', 'device', 'id'),
  toRamDone: defineStep('pagemap.toRamDone', 'vpn', 'npages', 'errno', 'ns'),
  /** All that could be collected has come home, for a program's own access. */
  cpuMigrated: defineStep('pagemap.cpuMigrated', 'vpn', 'npages', 'device', 'id'),
  /** The same where the kernel accessed the page, mostly in a walk of hmm_range_fault. */
  hmmMigrated: defineStep('pagemap.hmmMigrated', 'vpn', 'npages', 'device', 'id'),
  timeslice: defineStep('pagemap.timeslice', 'vpn', 'ns', 'device'),
  evict: defineStep('pagemap.evict', 'device', 'npages', 'id'),
  /** Pages were left; the errno is that of the pass before. */
  evictRetry: defineStep('pagemap.evictRetry', 'npages', 'id', 'errno'),
  evictDone: defineStep('pagemap.evictDone', 'device', 'npages', 'errno', 'ns'),
} as const;
