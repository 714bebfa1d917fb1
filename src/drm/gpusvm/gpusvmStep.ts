/** The named steps of drm_gpusvm. */

import { defineStep } from '../../sim/steps.js';

export const GpuSvmStep = {
  findOrInsert: defineStep('gpusvm.findOrInsert', 'vpn', 'id'),
  rangeInserted: defineStep('gpusvm.rangeInserted', 'vpn', 'npages', 'id'),
  rangeRemoved: defineStep('gpusvm.rangeRemoved', 'vpn', 'npages', 'id'),
  notifierInserted: defineStep('gpusvm.notifierInserted', 'vpn', 'npages', 'id'),
  notifierRemoved: defineStep('gpusvm.notifierRemoved', 'vpn', 'npages', 'id'),
  checkPages: defineStep('gpusvm.checkPages', 'vpn', 'npages', 'count'),
  getPages: defineStep('gpusvm.getPages', 'vpn', 'npages', 'device'),
  getPagesRetry: defineStep('gpusvm.getPagesRetry', 'vpn', 'npages', 'device', 'errno'),
  /** The pages became valid, under the notifier lock. */
  mapped: defineStep('gpusvm.mapped', 'vpn', 'npages', 'device', 'flags'),
  getPagesDone: defineStep('gpusvm.getPagesDone', 'vpn', 'npages', 'device', 'errno'),
  unmapped: defineStep('gpusvm.unmapped', 'npages', 'device'),
  invalidate: defineStep('gpusvm.invalidate', 'vpn', 'npages', 'event', 'ns'),
  setUnmapped: defineStep('gpusvm.setUnmapped', 'vpn', 'npages', 'count'),
  evict: defineStep('gpusvm.evict', 'vpn', 'npages', 'errno'),
} as const;
