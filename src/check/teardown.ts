/** What must be left when mirrors and address space are gone: nothing. */

import { PMD_PAGES } from '../base/units.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { DmaProto } from '../memory/dmaAddr.js';
import type { Mm } from '../mm/process/mm.js';
import { checkHugetlb } from './hugetlb.js';
import { checkFinished } from './lifetimes.js';
import type { MachineView } from './machineView.js';
import { checkQuiescence } from './quiescence.js';
import { Rule } from './rule.js';

export function checkTeardown(view: MachineView): Rule[] {
  return [
    checkMemory(view),
    checkMappings(view),
    checkMirrors(view),
    ...checkHugetlb(view.kernel),
    ...checkQuiescence(view),
  ];
}

/** Every zone is free, but for the zero page, which the kernel keeps; files went with their areas and openers. */
function checkMemory(view: MachineView): Rule {
  const rule = new Rule('torn-down memory', 'folios', 'page tables', 'devices');
  const { folios, kernel } = view;
  rule.look('folios', view.freeFrames);
  view.forEachFolio((pfn) => {
    rule.look('folios');
    const expected = kernel.isZeroPage(pfn) ? 1 : 0;
    rule.require(folios.refcount(pfn) === expected, { pfn }, () => `still in use: ${folios.describe(pfn)}`);
  });
  const { ram, tables, hugetlb } = kernel;
  const inUse = ram.usedPages - hugetlb.free * PMD_PAGES;
  rule.require(
    inUse === kernel.zeroPages,
    {},
    () => `ram: ${inUse} pages are in use, not just the zero page`,
  );
  rule.look('page tables', tables.totalTables);
  const { usedSlots } = kernel.swapCache.area;
  rule.require(usedSlots === 0, {}, () => `${usedSlots} swap slots are in use`);
  const used = tables.totalTables - tables.freeTables;
  rule.require(used === 0, {}, () => `${used} page tables were not freed`);
  for (const snapshot of view.devices) {
    rule.look('devices');
    checkDevice(rule, snapshot);
  }
  return rule;
}

function checkDevice(rule: Rule, { device, vram, ptePages, tlbPages }: GpuSnapshot): void {
  rule.require(vram.usedPages === 0, {}, () => `gpu${device}: ${vram.usedPages} pages of VRAM are in use`);
  rule.require(
    ptePages.length === 0,
    {},
    () => `gpu${device}: ${ptePages.length} page-table entries are left`,
  );
  rule.require(tlbPages.length === 0, {}, () => `gpu${device}: ${tlbPages.length} TLB entries are left`);
}

function checkMappings(view: MachineView): Rule {
  const rule = new Rule('torn-down DMA', 'devices', 'maps');
  for (const { index, iommu, ledger } of view.gpus) {
    rule.look('devices');
    rule.look('maps', iommu.mapsTotal);
    rule.require(iommu.live === 0, {}, () => `gpu${index}: ${iommu.live} I/O pages are still mapped`);
    const balance = iommu.mapsTotal - iommu.unmapsTotal;
    rule.require(balance === 0, {}, () => `gpu${index}: maps less unmaps is ${balance}`);
    const { reserved } = iommu;
    rule.require(reserved === 0, {}, () => `gpu${index}: ${reserved} I/O pages are still reserved`);
    for (const [name, proto] of Object.entries(DmaProto)) {
      const live = ledger.liveOf(proto);
      rule.require(live === 0, {}, () => `gpu${index}: ${live} pages are still mapped by ${name} addresses`);
    }
  }
  return rule;
}

function checkProcess(rule: Rule, { id, users, count, vmas, notifiers }: Mm): void {
  rule.require(users === 0 && count === 0, {}, () => `mm ${id} has ${users} users and count ${count}`);
  rule.require(vmas.size === 0, {}, () => `mm ${id} has ${vmas.size} areas`);
  const { intervals } = notifiers;
  rule.require(intervals === 0, {}, () => `mm ${id} has ${intervals} intervals registered`);
}

function checkMirrors(view: MachineView): Rule {
  const rule = new Rule('torn-down mirrors', 'mirrors', 'devices');
  const { coordinator } = view;
  for (const mm of new Set([view.mm, ...view.mms])) checkProcess(rule, mm);
  rule.require(coordinator.zdds.live === 0, {}, () => `${coordinator.zdds.live} zone device data are left`);
  for (const vm of view.vms) {
    rule.look('mirrors');
    checkFinished(rule, vm);
  }
  for (const gpu of view.gpus) {
    rule.look('devices');
    rule.require(
      gpu.allocations.size === 0,
      {},
      () => `gpu${gpu.index}: ${gpu.allocations.size} allocations are left`,
    );
    rule.require(gpu.bos.size === 0, {}, () => `gpu${gpu.index}: ${gpu.bos.size} buffer objects are left`);
    const refs = gpu.dpagemap?.references ?? 1;
    rule.require(refs === 1, {}, () => `the pagemap of gpu${gpu.index} has ${refs} references`);
  }
  const bound = view.gpus.filter(({ dpagemap }) => dpagemap !== null).length;
  const held = coordinator.vram.pagemaps.unhold.live.size;
  rule.require(held === bound, {}, () => `${held} pagemaps are held, by drivers of ${bound} devices`);
  return rule;
}
