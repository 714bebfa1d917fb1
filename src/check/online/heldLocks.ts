/** What a task's locks say of where it is: in a mirror's critical section, or in a callback. */

import type { Coordinator } from '../../actors/coordinator.js';
import type { SvmVm } from '../../driver/svmVm.js';
import type { HeldLock, Task } from '../../sim/task.js';

/** The mirror whose notifier lock the task holds, in this mode if one is given; null if it holds none. */
export function mirrorHeldBy(
  coordinator: Coordinator,
  task: Task,
  mode: HeldLock['mode'] | null = null,
): SvmVm | null {
  const { held } = task;
  if (held.length === 0) return null;
  for (const vm of coordinator.vms) {
    const lock = vm.gpusvm.notifierLock;
    for (let i = 0; i < held.length; i++) {
      if (held[i].lock === lock && (mode === null || held[i].mode === mode)) return vm;
    }
  }
  return null;
}
