/** Swap: every slot is counted as often as entries of all address spaces name it, and the swap cache holds what it says. */

import { swapViolations } from '../mm/swap/swapCensus.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkSwap(view: MachineView): Rule[] {
  const rule = new Rule('swap', 'entries');
  rule.look('entries', view.entries.size);
  for (const wrong of swapViolations(view.kernel, view.entries)) rule.violate({}, wrong);
  return [rule];
}
