/** The named steps of the mirror driver. */

import { defineStep } from '../../sim/steps.js';

export const MirrorStep = {
  /** A command begins; the event field tells which, by its number in `MirrorCommand`. */
  command: defineStep('mirror.command', 'vpn', 'npages', 'event', 'device'),
  commandDone: defineStep('mirror.commandDone', 'vpn', 'errno', 'event', 'device'),
  /** A round of faults has filled the device page table. */
  faulted: defineStep('mirror.faulted', 'vpn', 'npages', 'device'),
  invalidated: defineStep('mirror.invalidated', 'vpn', 'npages', 'event', 'device'),
  /** Destinations are allocated and filled. */
  copied: defineStep('mirror.copied', 'vpn', 'npages', 'device'),
  cpuFault: defineStep('mirror.cpuFault', 'vpn', 'pfn', 'device'),
  /** A large folio of the device is now single pages. */
  split: defineStep('mirror.split', 'pfn', 'npages', 'device'),
  evicted: defineStep('mirror.evicted', 'pfn', 'npages', 'device'),
} as const;
