/** R2, R3 and D7: whoever uses a pagemap, directly or by a page, finds it alive, and its device and the module of its driver with it; its memory is idle. */

import type { GpuHandle } from '../driver/gpuHandle.js';
import type { DrmPagemap } from '../drm/pagemap/drmPagemap.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkPagemaps(view: MachineView): Rule[] {
  return [checkLifetimes(view), checkHolds(view), checkIdleMemory(view)];
}

/**
 * Everything that refers to a pagemap refers to one that has references and is not destroyed. Implied by drm_pagemap_get and _put: each user takes its own
 * reference, and a look-up that finds a count of zero makes another pagemap, since what has begun to go is not brought back.
 */
function checkLifetimes(view: MachineView): Rule {
  const rule = new Rule('R2 pagemaps', 'pagemap users');
  const look = (dpagemap: DrmPagemap, who: () => string): void => {
    rule.look('pagemap users');
    const isAlive = dpagemap.references > 0 && !dpagemap.destroyed;
    rule.require(isAlive, {}, () => `${who()} uses a pagemap of gpu${dpagemap.device.index} that is gone`);
  };
  for (const { index, dpagemap } of view.gpus) {
    if (dpagemap !== null) look(dpagemap, () => `the driver of gpu${index}`);
  }
  for (const zdd of view.zdds) look(zdd.dpagemap, () => `zone device data ${zdd.id}`);
  for (const { gpu, pages } of view.holders) {
    if (pages.dpagemap !== null) look(pages.dpagemap, () => `gpu${gpu.index}`);
  }
  return rule;
}

/**
 * A device and its module have one reference for the driver, while it is bound, and one for each pagemap in use; nothing waits to be let go of.
 * Implied by drm_pagemap_dev_hold, which is made with the pagemap and let go by a work item after its last user: the callbacks that free its pages are code
 * of that module and look at that device.
 */
function checkHolds(view: MachineView): Rule {
  const rule = new Rule('R3', 'devices', 'holds');
  const { unhold } = view.coordinator.vram.pagemaps;
  rule.require(unhold.pending === 0, {}, () => `${unhold.pending} holds on devices wait to be released`);
  const holds = new Map<GpuHandle['life'], number>();
  for (const { device } of unhold.live) {
    rule.look('holds');
    holds.set(device.life, (holds.get(device.life) ?? 0) + 1);
  }
  for (const { life, dpagemap } of view.gpus) {
    rule.look('devices');
    const bound = dpagemap === null ? 0 : 1;
    const expected = bound + (holds.get(life) ?? 0);
    const counts = [life.references, life.moduleReferences];
    rule.require(
      counts.every((count) => count === expected),
      {},
      () => `${life.name} has ${counts[0]} references, its module ${counts[1]}, but ${expected} are held`,
    );
    const users = view.holders.some(({ pages }) => pages.dpagemap?.device.life === life);
    const inUse = users || view.zdds.some(({ dpagemap: used }) => used.device.life === life);
    rule.require(!inUse || life.references > 0, {}, () => `${life.name} is gone while its memory is in use`);
  }
  return rule;
}

/**
 * D7: nothing that began before a migration still writes to the memory that pages have migrated to. Implied by pre_migrate_fence, for which the first copy to
 * the memory waits: a clear or an earlier owner's move that ends after the copy would overwrite what was copied.
 */
function checkIdleMemory(view: MachineView): Rule {
  const rule = new Rule('D7', 'allocations');
  const { pending } = view.coordinator.vram.clears;
  rule.require(pending === 0, {}, () => `${pending} clears of device memory are under way`);
  for (const zdd of view.zdds) {
    const { devmem } = zdd;
    if (devmem === null) continue;
    rule.look('allocations');
    rule.require(
      devmem.preMigrateFence === null,
      {},
      () => `allocation ${devmem.allocation} has pages, but earlier work on it was not waited for`,
    );
  }
  return rule;
}
