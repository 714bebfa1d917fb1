/** S7: a range has parts for no device yet, for one inline, or for all that mirror its address space; one that has left keeps nothing of it. */

import type { DriverRange } from '../driver/driverRange.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import type { SvmVm } from '../driver/svmVm.js';
import type { Mm } from '../mm/process/mm.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by the vm lock, held for write where a device joins or leaves and for read where a fault makes a part, and by the notifier lock, under which an
 * array of parts takes the place of another: callbacks walk the array, so a device that is not in it keeps its translations.
 */
export function checkMembership(view: MachineView): Rule[] {
  const rule = new Rule('S7', 'mirrors', 'ranges', 'ranges with an array', 'devices that are away');
  for (const vm of view.vms) {
    rule.look('mirrors');
    checkDeviceVms(rule, vm);
    for (const range of vm.gpusvm.allRanges()) checkParts(rule, vm, range as DriverRange);
  }
  for (const mm of new Set(view.vms.filter(({ closed }) => !closed).map((vm) => vm.mm))) {
    for (const gpu of view.gpus) {
      if (!view.coordinator.mirrors.has(mm, gpu)) checkAway(view, rule, mm, gpu);
    }
  }
  return [rule];
}

function checkDeviceVms(rule: Rule, { gpus, deviceVms, config }: SvmVm): void {
  const inOrder = gpus.every((gpu, i) => i === 0 || gpu.index > gpus[i - 1].index);
  rule.require(inOrder, {}, () => `the devices of ${config.name} are not in their order, or twice there`);
  const same = deviceVms.size === gpus.length && gpus.every((gpu) => deviceVms.has(gpu));
  rule.require(same, {}, () => `${config.name} has ${gpus.length} devices, but other GPU address spaces`);
}

function checkParts(rule: Rule, { gpus, config }: SvmVm, range: DriverRange): void {
  rule.look('ranges');
  const { parts, start: page } = range;
  if (parts.length > 1) rule.look('ranges with an array');
  rule.require(
    // None where it was made to bring pages home and no device has used it since.
    parts.length <= 1 || parts.length === gpus.length,
    { page },
    () => `the range has ${parts.length} parts, but ${config.name} ${gpus.length} devices`,
  );
  const order = parts.map(({ gpu }) => gpus.indexOf(gpu));
  rule.require(
    order.every((at, i) => at >= 0 && (i === 0 || at > order[i - 1])),
    { page },
    () => `the range has parts for gpu${parts.map(({ gpu }) => gpu.index).join(', gpu')}`,
  );
}

/** Translations and DMA mappings of such a device are for I4 and D1 to find. */
function checkAway(view: MachineView, rule: Rule, mm: Mm, gpu: GpuHandle): void {
  rule.look('devices that are away');
  const left = view.allocationsOf(gpu).filter((devmem) => devmem.mm === mm && !devmem.stranded);
  rule.require(
    left.length === 0,
    {},
    () => `gpu${gpu.index} has left mm ${mm.id}, but keeps ${left.length} allocations of its pages`,
  );
}
