/** D6: no device can reach a page that is not, at that moment, the one that the CPU maps there. */

import { formatVpn } from '../base/units.js';
import { DmaDir, DmaProto, dmaDir, dmaProto } from '../memory/dmaAddr.js';
import { formatPfn, NO_PFN } from '../memory/pfn.js';
import { formatPte } from '../mm/table/pte.js';
import { cpuAllows } from './cpuRights.js';
import type { DmaPage, MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * Implied by I3 and I4 together: an address is made from a page that the CPU maps at that moment, and goes in the callback of the invalidation that comes before
 * the page is unmapped, so it never outlives the entry. A page is freed only after its entry is gone.
 */
export function checkDmaTargets(view: MachineView): Rule[] {
  const rule = new Rule('D6', 'DMA addresses', 'devices');
  for (const holder of view.holders) {
    view.forEachDmaPage(holder, (page) => {
      rule.look('DMA addresses');
      checkTarget(view, rule, page);
    });
  }
  for (const { device, iommuFaults } of view.devices) {
    rule.look('devices');
    for (const fault of iommuFaults) {
      const how = fault.write ? 'stored to' : 'loaded from';
      rule.violate(
        { page: fault.page },
        `gpu${device} ${how} ${formatVpn(fault.page)} through I/O page ${fault.iova} after its mapping had ended`,
      );
    }
  }
  return [rule];
}

function checkTarget(view: MachineView, rule: Rule, { holder, page, addr, index }: DmaPage): void {
  const device = holder.gpu.index;
  const pfn = view.resolveDmaAddr(device, addr, index);
  if (pfn === NO_PFN) {
    rule.violate({ page }, `gpu${device} has a DMA address that maps nothing`);
    return;
  }
  checkLocality(view, rule, { holder, page, addr, index });
  const write = dmaDir(addr) !== DmaDir.ToDevice;
  const { mm } = holder;
  const pte = view.pteAt(page, mm);
  rule.require(
    cpuAllows(view, mm, page, pfn, write),
    { page, pfn },
    () =>
      `gpu${device} reaches ${formatPfn(pfn)} for DMA${write ? ' with stores' : ''}, but the CPU's entry is ${formatPte(pte)}`,
  );
}

/** Own VRAM by its own address, that of a peer by the peer link. */
function checkLocality(view: MachineView, rule: Rule, { holder, page, addr, index }: DmaPage): void {
  const proto = dmaProto(addr);
  if (proto === DmaProto.System) return;
  const device = holder.gpu.index;
  const pfn = view.resolveDmaAddr(device, addr, index);
  const owner = view.layout.zoneOf(pfn).deviceIndex;
  const right = owner >= 0 && (owner === device) === (proto === DmaProto.Vram);
  rule.require(
    right,
    { page, pfn },
    () => `gpu${device} has an address of the wrong kind for memory of ${view.layout.zoneOf(pfn).name}`,
  );
}
