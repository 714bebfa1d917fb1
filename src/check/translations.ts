/** I4: no device translates to a page that is not mapped there by the CPU with at least that right, and bound ranges are exactly those with entries. */

import type { Vpn } from '../base/units.js';
import {
  formatGpuPte,
  type GpuPte,
  gpuPteAt,
  gpuPteIsWritable,
  gpuPteOfWord,
  gpuPteSamePage,
  NO_GPU_PTE,
} from '../device/gpuPte.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { inSpace, pageInSpace, spaceOf } from '../device/gpuSpace.js';
import type { SvmVm } from '../driver/svmVm.js';
import { formatPfn, NO_PFN } from '../memory/pfn.js';
import { formatPte } from '../mm/table/pte.js';
import { cpuAllows } from './cpuRights.js';
import type { MachineView, MirrorPart } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by the contract of mmu_notifier_invalidate_range_start: the callback, under the notifier lock, takes the entries from the device's page table and flushes
 * its TLB before the CPU's entry changes, and a fault binds again only what is valid under the same lock. So what the device can use is never more than the
 * CPU's entry allows; whoever frees the page afterwards does not ask the device.
 */
export function checkTranslations(view: MachineView): Rule[] {
  const rule = new Rule('I4', 'page-table entries', 'TLB entries', 'bound parts');
  for (const snapshot of view.devices) {
    checkPageTable(view, rule, snapshot);
    checkTlb(rule, snapshot);
  }
  if (view.devices.length > 0) for (const mirror of view.mirrors) checkBound(view, rule, mirror);
  return [rule];
}

function checkPageTable(view: MachineView, rule: Rule, snapshot: GpuSnapshot): void {
  const { device } = snapshot;
  view.forEachGpuPte(snapshot, (tagged, pte) => {
    const page = pageInSpace(tagged);
    const gpu = view.gpus[device];
    const vm = view.coordinator.mirrors.find(gpu, spaceOf(tagged));
    const va = vm?.deviceVm(gpu).vaAt(page) ?? null;
    // What programs have bound themselves is for E2 to compare.
    if (va !== null && va.kind !== 'mirror') return;
    rule.look('page-table entries');
    if (vm === null) {
      rule.violate(
        { page },
        `gpu${device} has ${formatGpuPte(pte)} for space ${spaceOf(tagged)}, which is gone`,
      );
      return;
    }
    checkEntry(view, rule, device, vm, page, pte);
    const part = view.rangeAt(vm, page)?.find(view.gpus[device]) ?? null;
    rule.require(
      part?.bound === true,
      { page },
      () => `gpu${device} has an entry where no range is bound: ${formatGpuPte(pte)}`,
    );
  });
}

function checkEntry(
  view: MachineView,
  rule: Rule,
  device: number,
  { mm }: SvmVm,
  page: Vpn,
  pte: GpuPte,
): void {
  const write = gpuPteIsWritable(pte);
  const pfn = view.resolveGpuPte(device, pte, write);
  if (pfn === NO_PFN) {
    rule.violate({ page }, `gpu${device} has ${formatGpuPte(pte)}, which its IOMMU does not map for that`);
    return;
  }
  rule.require(
    cpuAllows(view, mm, page, pfn, write),
    { page, pfn },
    () =>
      `gpu${device} has ${formatGpuPte(pte)}, pfn ${formatPfn(pfn)}, but the CPU's entry is ${formatPte(view.pteAt(page, mm))}`,
  );
}

/** What the TLB remembers, the page table still says, and allows. */
function checkTlb(rule: Rule, snapshot: GpuSnapshot): void {
  for (let i = 0; i < snapshot.tlbPages.length; i++) {
    rule.look('TLB entries');
    const page = snapshot.tlbPages[i] as Vpn;
    const cached = gpuPteAt(snapshot.tlbPtes, i);
    const pte = entryAt(snapshot, page);
    const covered = gpuPteSamePage(cached, pte) && (!gpuPteIsWritable(cached) || gpuPteIsWritable(pte));
    rule.require(
      covered,
      { page },
      () =>
        `the TLB of gpu${snapshot.device} has ${formatGpuPte(cached)}, its page table ${formatGpuPte(pte)}`,
    );
  }
}

function checkBound(view: MachineView, rule: Rule, { vm, range, part }: MirrorPart): void {
  const snapshot = view.devices[part.gpu.index];
  const found = entriesIn(snapshot, inSpace(vm.space, range.start), inSpace(vm.space, range.end));
  const expected = part.bound ? range.npages : 0;
  if (part.bound) rule.look('bound parts');
  const name = `gpu${part.gpu.index}`;
  rule.require(
    found.entries === expected,
    { page: range.start },
    () =>
      `${name} has ${found.entries} entries of a range of ${range.npages} that is ${part.bound ? '' : 'not '}bound`,
  );
  const writable = part.bound && part.boundWritable ? range.npages : 0;
  rule.require(
    found.writable === writable,
    { page: range.start },
    () =>
      `${name} has ${found.writable} writable entries, but the range is bound ${writable > 0 ? 'for stores' : 'for loads only'}`,
  );
}

function entriesIn(snapshot: GpuSnapshot, start: number, end: number): { entries: number; writable: number } {
  let entries = 0;
  let writable = 0;
  for (let i = lowerBound(snapshot.ptePages, start); i < snapshot.ptePages.length; i++) {
    if (snapshot.ptePages[i] >= end) break;
    entries++;
    if (gpuPteIsWritable(gpuPteAt(snapshot.ptes, i))) writable++;
  }
  return { entries, writable };
}

function entryAt(snapshot: GpuSnapshot, page: Vpn): GpuPte {
  const i = lowerBound(snapshot.ptePages, page);
  return snapshot.ptePages[i] === page ? gpuPteOfWord(snapshot.ptes[i]) : NO_GPU_PTE;
}

/** Index of the first page that is not below `page`. */
function lowerBound(pages: Float64Array, page: number): number {
  let low = 0;
  let high = pages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (pages[middle] < page) low = middle + 1;
    else high = middle;
  }
  return low;
}
