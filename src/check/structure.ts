/** S1 to S5: ranges and notifiers have the shapes and places that they must have, and their flags agree. */

import { alignDown } from '../base/units.js';
import type { DriverRange } from '../driver/driverRange.js';
import type { SvmVm } from '../driver/svmVm.js';
import type { GpuSvmNotifier } from '../drm/gpusvm/notifier.js';
import { PagesFlag } from '../drm/gpusvm/pages.js';
import type { GpuSvmRange } from '../drm/gpusvm/range.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * S1 and S2 are implied by drm_gpusvm_range_chunk_size, which takes the largest chunk that is aligned and lies in area, notifier and window, and overlaps no
 * range; the driver's lock is held until the range is in the tree. The last notifier may stick out of the window by its alignment.
 * S3 is implied by drm_gpusvm_range_remove, which takes the notifier away with its last range. S5 by the one tree per notifier in which every range is, and by
 * faults, which look there first: a range that is not found is made a second time.
 */
export function checkStructure(view: MachineView): Rule[] {
  const shapes = new Rule('S1', 'ranges');
  const places = new Rule('S2', 'ranges', 'notifiers');
  const owners = new Rule('S3', 'notifiers');
  const lookups = new Rule('S5', 'ranges');
  for (const vm of view.vms) {
    for (const { value: notifier } of vm.gpusvm.notifiers) {
      places.look('notifiers');
      owners.look('notifiers');
      checkWindow(places, vm, notifier);
      owners.require(notifier.rangeCount > 0, { page: notifier.start }, () => 'a notifier without ranges');
    }
    checkRanges(vm, { shapes, places, lookups });
  }
  return [shapes, places, owners, checkFlags(view), lookups];
}

interface RangeRules {
  readonly shapes: Rule;
  readonly places: Rule;
  readonly lookups: Rule;
}

function checkRanges(vm: SvmVm, { shapes, places, lookups }: RangeRules): void {
  let end = 0;
  for (const range of vm.gpusvm.allRanges()) {
    shapes.look('ranges');
    places.look('ranges');
    lookups.look('ranges');
    const page = range.start;
    shapes.require(page >= end, { page }, () => 'the range overlaps the one before it');
    end = range.end;
    checkShape(vm, shapes, range);
    const { notifier } = range;
    places.require(
      page >= notifier.start && range.end <= notifier.end,
      { page },
      () => 'the range leaves its notifier',
    );
    places.require(
      vm.gpusvm.findNotifier(page) === notifier,
      { page },
      () => 'the range belongs to a notifier that is not there',
    );
    checkLookup(vm, lookups, range);
  }
}

function checkShape(vm: SvmVm, rule: Rule, range: GpuSvmRange): void {
  const { npages, start: page } = range;
  rule.require(
    vm.config.chunkPages.includes(npages),
    { page },
    () => `a range of ${npages} pages, which is no chunk size`,
  );
  rule.require(
    page % npages === 0,
    { page },
    () => `a range of ${npages} pages that is not aligned to its size`,
  );
}

/** The last notifier may stick out of the window by its alignment. */
function checkWindow(rule: Rule, vm: SvmVm, { start, end }: GpuSvmNotifier): void {
  const { config } = vm;
  const size = config.notifierPages;
  const aligned = start % size === 0 && end - start === size;
  rule.require(aligned, { page: start }, () => `a notifier of ${end - start} pages, not of ${size} aligned`);
  const inside = start >= alignDown(config.start, size) && start < config.start + config.npages;
  rule.require(inside, { page: start }, () => 'a notifier outside the managed window');
}

/** S5: looking for any page of the range finds the range, at once and through its notifier, as a fault does. */
function checkLookup(vm: SvmVm, rule: Rule, range: GpuSvmRange): void {
  const { gpusvm } = vm;
  for (const page of [range.start, (range.end - 1) as typeof range.start]) {
    rule.require(
      gpusvm.findRange(page) === range && gpusvm.findNotifier(page)?.findRange(page) === range,
      { page },
      () => 'is in a range that a look-up does not find',
    );
  }
}

/**
 * S4: device pages only where DMA is mapped, and all mirrors of a range know whether it was unmapped.
 * Implied by the notifier lock, under which all flags of a pages object are replaced as one word, and by the callback of an unmap, which walks all devices of the
 * range: a device that misses it goes on to map what is no longer there.
 */
function checkFlags(view: MachineView): Rule {
  const rule = new Rule('S4', 'pages objects');
  for (const { gpu, pages, start: page } of view.holders) {
    rule.look('pages objects');
    const devmemWithoutDma = pages.has(PagesFlag.HasDevmemPages) && !pages.has(PagesFlag.HasDmaMapping);
    rule.require(!devmemWithoutDma, { page }, () => `gpu${gpu.index} has device pages, but no DMA mapping`);
  }
  for (const { range, part } of view.mirrors) {
    const { pages, gpu } = part;
    const page = range.start;
    rule.require(
      pages.has(PagesFlag.Unmapped) === range.unmapped,
      { page },
      () => `the range is ${describeUnmapped(range)}, but gpu${gpu.index} believes otherwise`,
    );
    rule.require(
      !part.bound || pages.has(PagesFlag.HasDmaMapping),
      { page },
      () => `gpu${gpu.index} is bound, but its pages are not valid`,
    );
  }
  return rule;
}

function describeUnmapped(range: DriverRange): string {
  return range.unmapped ? 'unmapped' : 'not unmapped';
}
