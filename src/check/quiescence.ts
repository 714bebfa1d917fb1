/** That the moment is one of rest: nothing is lent, locked or under way. */

import type { RwLock } from '../sim/rwLock.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkQuiescence(view: MachineView): Rule[] {
  return [checkArrays(view), checkLocks(view), checkIdle(view)];
}

function checkArrays(view: MachineView): Rule {
  const rule = new Rule('arrays', 'page arrays');
  const { arrays } = view.coordinator;
  rule.look('page arrays', arrays.arrays.count);
  rule.require(arrays.lent === 0, {}, () => `${arrays.lent} page arrays were not given back`);
  return rule;
}

/** Locks with nobody to release them, and tasks that hold one. */
function checkLocks(view: MachineView): Rule {
  const rule = new Rule('locks', 'locks', 'tasks');
  const look = (lock: Pick<RwLock, 'isLocked'>, name: string): void => {
    rule.look('locks');
    rule.require(!lock.isLocked, {}, () => `${name} is held`);
  };
  for (const { mmapLock } of view.mms) look(mmapLock, mmapLock.name);
  for (const { vmLock, svmLock, gpusvm, config } of view.vms) {
    look(vmLock, vmLock.name);
    look(svmLock, `svm lock of ${config.name}`);
    look(gpusvm.notifierLock, gpusvm.notifierLock.name);
  }
  for (const { range, part } of view.mirrors) {
    rule.look('locks');
    rule.require(
      !range.fetchLock.isLocked,
      { page: range.start },
      () => 'the fetch lock of the range is held',
    );
    rule.require(
      !part.lock.isLocked,
      { page: range.start },
      () => `the range lock of gpu${part.gpu.index} is held`,
    );
  }
  for (const task of view.kernel.sched.tasks) {
    rule.look('tasks');
    rule.require(task.held.length === 0, {}, () => {
      const held = task.held.map(({ lock }) => lock.name).join(', ');
      return `task ${task.id} (${task.name}) holds ${held}`;
    });
  }
  return rule;
}

function checkIdle(view: MachineView): Rule {
  const rule = new Rule('idle', 'devices');
  for (const { device, faultsInFlight, copiesInFlight } of view.devices) {
    rule.look('devices');
    rule.require(faultsInFlight === 0, {}, () => `gpu${device} has ${faultsInFlight} faults under way`);
    rule.require(copiesInFlight === 0, {}, () => `gpu${device} has ${copiesInFlight} copies under way`);
  }
  return rule;
}
