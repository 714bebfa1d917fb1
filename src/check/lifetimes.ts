/** R1 and R2: who holds the address space and the ranges is who should. */

import { DriverRange } from '../driver/driverRange.js';
import type { SvmVm } from '../driver/svmVm.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/** While the run lasts a process is the only user of its address space, and one that has ended is none; each mirror and each registered interval looks at the address space. */
export function checkLifetimes(view: MachineView): Rule[] {
  return [checkMms(view), checkRanges(view)];
}

/**
 * R1: implied by mmget and mmgrab. Users keep the areas, the count only the structure: whoever works in the address space for the process puts its user when the
 * call ends, while a mirror and an interval notifier keep the structure alone, since a user that they had would keep a dead process's memory for ever.
 */
function checkMms(view: MachineView): Rule {
  const rule = new Rule('R1', 'address spaces');
  for (const mm of view.mms) {
    rule.look('address spaces');
    const alive = view.coordinator.processes.find(mm.id) === mm ? 1 : 0;
    rule.require(mm.users === alive, {}, () => `mm ${mm.id} has ${mm.users} users, not ${alive}`);
    const holders = alive + view.vms.filter((vm) => vm.mm === mm).length + mm.notifiers.intervals;
    rule.require(mm.count === holders, {}, () => `mm ${mm.id} has count ${mm.count}, but ${holders} holders`);
  }
  return rule;
}

/**
 * R2: implied by the reference counts of ranges: that of the tree and that of the collector's list. A count of zero never grows again, since look-ups find only
 * what is in the tree and take a reference under the lock that removal needs; and the end of a mirror disables the worker before it takes the ranges, so that
 * nothing of it is left to do.
 */
function checkRanges(view: MachineView): Rule {
  const rule = new Rule('R2', 'ranges');
  for (const vm of view.vms) {
    for (const range of vm.gpusvm.allRanges()) {
      rule.look('ranges');
      const holders = 1 + (range instanceof DriverRange && range.queued ? 1 : 0);
      rule.require(
        range.refs === holders,
        { page: range.start },
        () => `the range has ${range.refs} references, but ${holders} holders`,
      );
    }
    if (vm.finished) checkFinished(rule, vm);
  }
  return rule;
}

/** Nothing comes back, and no work is left for a mirror that has ended. */
export function checkFinished(rule: Rule, { gpusvm, collector, config }: SvmVm): void {
  rule.require(gpusvm.notifiers.size === 0, {}, () => `${config.name} has ended, but has notifiers`);
  rule.require(!collector.hasWork, {}, () => `${config.name} has ended, but its garbage waits for a worker`);
}
