/** The named steps of the reference driver. */

import { defineStep } from '../sim/steps.js';

/** Why pages move. @kernel KFD_MIGRATE_TRIGGER_* */
export const MigrateTrigger = { Prefetch: 0, GpuFault: 1, CpuFault: 2, Eviction: 3 } as const;
export type MigrateTrigger = (typeof MigrateTrigger)[keyof typeof MigrateTrigger];

export const DriverStep = {
  fault: defineStep('driver.fault', 'vpn', 'flags', 'device'),
  /** A round of a fault, of no prefetch, has found or made its range. */
  faultRange: defineStep('driver.faultRange', 'vpn', 'npages', 'device'),
  retry: defineStep('driver.retry', 'vpn', 'device', 'errno'),
  /** A fault was served; the last field is how long it took. */
  faultDone: defineStep('driver.faultDone', 'vpn', 'device', 'errno', 'ns'),
  /** Another fault had mapped the page already. */
  spurious: defineStep('driver.spurious', 'vpn', 'npages', 'device'),
  migrate: defineStep('driver.migrate', 'vpn', 'npages', 'device'),
  migrateBusy: defineStep('driver.migrateBusy', 'vpn', 'npages', 'device'),
  /** A program's request changes the mappings of these pages, with the vm lock held for write. */
  vmBind: defineStep('driver.vmBind', 'vpn', 'npages', 'device'),
  /** What a request has to do could not be listed. */
  notListed: defineStep('driver.notListed', 'vpn', 'npages', 'device', 'errno'),
  vmBound: defineStep('driver.vmBound', 'vpn', 'npages', 'device', 'errno'),
  bind: defineStep('driver.bind', 'vpn', 'npages', 'device'),
  /** The process's pages behind a mapping have addresses; until the mapping is published they may lose them again. */
  userptrPinned: defineStep('driver.userptrPinned', 'vpn', 'npages', 'device'),
  bound: defineStep('driver.bound', 'vpn', 'npages', 'device', 'errno'),
  zap: defineStep('driver.zap', 'vpn', 'npages', 'device'),
  /** A device has confirmed an invalidation that a notifier asked for; one for a range that goes, a device that leaves, or advice. */
  tlbInvalidated: defineStep('driver.tlbInvalidated', 'vpn', 'npages', 'device', 'ns'),
  tlbDropped: defineStep('driver.tlbDropped', 'vpn', 'npages', 'device', 'ns'),
  collectGarbage: defineStep('driver.collectGarbage', 'count'),
  /** A GPU access that ended with an error; the id is the process's. */
  memoryFault: defineStep('driver.memoryFault', 'vpn', 'device', 'errno', 'id'),
  /** A prefetch instruction of a GPU asked for what it cannot have; the id is the process's. */
  prefetchDropped: defineStep('driver.prefetchDropped', 'vpn', 'device', 'errno', 'id'),
  /** Pages after a fault's range were brought to a device that had not asked for them, as far as that worked. */
  prefetchedAhead: defineStep('driver.prefetchedAhead', 'vpn', 'npages', 'device', 'errno'),
  /** A program asks for pages to be brought to a device and bound there before it uses them; and what came of it. */
  prefetch: defineStep('driver.prefetch', 'vpn', 'npages', 'device'),
  prefetchDone: defineStep('driver.prefetchDone', 'vpn', 'npages', 'device', 'errno'),
  /** Pages of a process (id) are about to move; the flags say why. For a CPU's fault `pagemap.toRam` says it. */
  migrateStart: defineStep('driver.migrateStart', 'vpn', 'npages', 'id', 'flags'),
  /** A copy of `npages` to or from the allocation `id` failed: what it should have written is not there. */
  copyFailed: defineStep('driver.copyFailed', 'device', 'npages', 'errno', 'id'),
  vramEvict: defineStep('driver.vramEvict', 'device', 'npages', 'id'),
  /** The device takes no more requests; the count is that of allocations that are left to bring home. */
  unplugged: defineStep('driver.unplugged', 'device', 'count'),
  unbound: defineStep('driver.unbound', 'device', 'errno'),
  /** A buffer object is about to leave the device's memory; it is there again. */
  boEvict: defineStep('driver.boEvict', 'device', 'npages'),
  boValidated: defineStep('driver.boValidated', 'device', 'npages'),
  /** A buffer object could not come back; it stays where it is. */
  boNotValidated: defineStep('driver.boNotValidated', 'device', 'npages', 'errno'),
  /** All evicted objects of an address space were asked back before a submission; `count` of them are still away. */
  validated: defineStep('driver.validated', 'device', 'count', 'errno'),
  /** The clear of new memory, for the fence of which others wait from now on; and its end. */
  clear: defineStep('driver.clear', 'device', 'npages', 'id'),
  cleared: defineStep('driver.cleared', 'device', 'npages', 'errno', 'id'),
  growPages: defineStep('driver.growPages', 'vpn', 'count'),
  /** A device mirrors a process (id) from now on, or no longer; the count is that of its mirror's devices. */
  joined: defineStep('driver.joined', 'device', 'count', 'id'),
  left: defineStep('driver.left', 'device', 'count', 'id'),
  /** The ranges of one notifier are about to get a part for a device, or to lose it. */
  growRanges: defineStep('driver.growRanges', 'vpn', 'count', 'device'),
  shrinkRanges: defineStep('driver.shrinkRanges', 'vpn', 'count', 'device'),
} as const;
