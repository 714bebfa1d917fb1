/** I1: at rest no invalidation runs, the sequence is even, and every interval notifier is where it belongs. */

import type { Mm } from '../mm/process/mm.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by mn_itree_inv_end: the last running invalidation makes the sequence even, carries out what was put off in the interval tree, and wakes those who wait;
 * an insert or removal that is still put off, or an odd sequence, waits for an end that does not come.
 */
export function checkNotifiers(view: MachineView): Rule[] {
  const rule = new Rule('I1', 'interval notifiers');
  for (const mm of view.coordinator.processes.all()) checkMm(view, rule, mm);
  return [rule];
}

function checkMm(view: MachineView, rule: Rule, mm: Mm): void {
  const { notifiers } = mm;
  const seq = notifiers.invalidateSeq;
  const active = notifiers.activeInvalidations;
  rule.require(active === 0, {}, () => `${active} invalidations were begun and not ended`);
  rule.require(seq % 2 === 0, {}, () => `the sequence ${seq} is odd, but nothing runs`);
  let registered = view.coordinator.mirrors.attributesOf(mm)?.isWatching === true ? 1 : 0;
  for (const { gpusvm } of view.coordinator.mirrors.of(mm)) {
    for (const { value: notifier } of gpusvm.notifiers) {
      rule.look('interval notifiers');
      registered++;
      const { interval, start } = notifier;
      rule.require(
        interval.deferred === null,
        { page: start },
        () => `its notifier still waits for its ${interval.deferred}`,
      );
      rule.require(interval.node !== null, { page: start }, () => 'its notifier gets no callbacks');
      rule.require(
        interval.invalidateSeq <= seq,
        { page: start },
        () => `its notifier has sequence ${interval.invalidateSeq}, beyond ${seq}`,
      );
    }
  }
  registered += countUserptrs(view, mm);
  for (const device of view.coordinator.mirror?.devices ?? []) {
    for (const context of device.contexts) if (context.mm === mm) registered++;
  }
  for (const { mm: seen } of view.coordinator.gpuViews.views) if (seen === mm) registered++;
  for (const driver of view.coordinator.ownDrivers) registered += driver.notifiersOf(mm);
  rule.require(
    notifiers.intervals === registered,
    {},
    () => `${notifiers.intervals} intervals are registered, ${registered} are known to mirrors and drivers`,
  );
}

/** Each mapping of the process's pages has a notifier of its own. */
function countUserptrs(view: MachineView, mm: Mm): number {
  let count = 0;
  for (const { vm, vas } of view.bindings) {
    if (vm.mm !== mm) continue;
    for (const { userptr } of vas) if (userptr?.isRegistered === true) count++;
  }
  return count;
}
