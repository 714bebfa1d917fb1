/** Reaches the driver's mirrors of all processes, also those that open later. */

import type { Machine } from '../actors/machine.js';
import type { SvmVm } from '../driver/svmVm.js';
import { replaceMethod } from './replaceMethod.js';

/** Calls `visit` once for each, before the first step that uses it. */
export function everyMirror({ coordinator }: Machine, visit: (vm: SvmVm) => void): void {
  const { mirrors } = coordinator;
  for (const vm of mirrors.vms) visit(vm);
  replaceMethod(mirrors, 'open', (right) => (mm) => {
    right(mm);
    for (const vm of mirrors.of(mm)) visit(vm);
  });
}
