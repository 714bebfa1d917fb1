/** R1 and R2: who holds the address space and the ranges is who should. */

import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/** While the run lasts a process is the only user of its address space, and one that has ended is none; each mirror and each registered interval looks at the address space. */
export function checkLifetimes(view: MachineView): Rule[] {
  return [checkMms(view), checkRanges(view)];
}

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

function checkRanges(view: MachineView): Rule {
  const rule = new Rule('R2', 'ranges');
  const seen = new Set<object>();
  for (const { range } of view.mirrors) {
    if (seen.has(range)) continue;
    seen.add(range);
    rule.look('ranges');
    const holders = 1 + (range.queued ? 1 : 0);
    rule.require(
      range.refs === holders,
      { page: range.start },
      () => `the range has ${range.refs} references, but ${holders} holders`,
    );
  }
  return rule;
}
