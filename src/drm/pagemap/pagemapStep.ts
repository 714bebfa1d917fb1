/** The named steps of migration through drm_pagemap. */

import { defineStep } from '../../sim/steps.js';

export const PagemapStep = {
  toDevmem: defineStep('pagemap.toDevmem', 'vpn', 'npages', 'device', 'id'),
  collected: defineStep('pagemap.collected', 'vpn', 'npages', 'count', 'ns'),
  populated: defineStep('pagemap.populated', 'vpn', 'npages', 'device'),
  /** `device` is the one that the run of pages came from; -1 for RAM and holes. */
  copied: defineStep('pagemap.copied', 'vpn', 'npages', 'device', 'ns'),
  toDevmemDone: defineStep('pagemap.toDevmemDone', 'vpn', 'npages', 'device', 'ns'),
  toDevmemFailed: defineStep('pagemap.toDevmemFailed', 'vpn', 'npages', 'errno', 'ns'),
  toRam: defineStep('pagemap.toRam', 'vpn', 'npages', 'device'),
  toRamDone: defineStep('pagemap.toRamDone', 'vpn', 'npages', 'errno', 'ns'),
  timeslice: defineStep('pagemap.timeslice', 'vpn', 'ns', 'device'),
  evict: defineStep('pagemap.evict', 'device', 'npages', 'id'),
  evictDone: defineStep('pagemap.evictDone', 'device', 'npages', 'errno', 'ns'),
} as const;
