/** D1 to D5 and S6: the DMA mappings that exist are those of valid pages objects, one by one, as their holders believe them to be. */

import { iommuWordDir } from '../device/iommu.js';
import type { GpuHandle } from '../driver/gpuHandle.js';
import { PagesFlag } from '../drm/gpusvm/pages.js';
import type { DrmPagemap } from '../drm/pagemap/drmPagemap.js';
import { DmaProto, dmaAddrAt, dmaDir, dmaOrder, dmaPage, dmaProto } from '../memory/dmaAddr.js';
import type { DmaHolder, DmaPage, MachineView } from './machineView.js';
import { Rule } from './rule.js';

const PROTOCOLS = Object.entries(DmaProto);

export function checkDma(view: MachineView): Rule[] {
  const ledger = new Rule('D1', 'pages objects', 'mapped I/O pages');
  const kinds = new Rule('D2', 'I/O pages');
  const reservations = new Rule('D4', 'devices', 'reserved I/O pages');
  for (const gpu of view.gpus) {
    const held = collectHeld(view, ledger, kinds, gpu);
    checkIommu(ledger, gpu, held);
    checkAccount(ledger, kinds, gpu, held);
    checkReservations(view, reservations, gpu);
  }
  return [ledger, kinds, reservations, checkUnmapped(view), checkPagemapRefs(view), checkSizes(view)];
}

/** What the pages objects of one device hold. */
interface Held {
  readonly iovas: Set<number>;
  /** By protocol: pages, and the sum of the addresses. */
  readonly pages: number[];
  readonly sums: number[];
}

function collectHeld(view: MachineView, ledger: Rule, kinds: Rule, gpu: GpuHandle): Held {
  const held: Held = { iovas: new Set(), pages: [0, 0, 0, 0], sums: [0, 0, 0, 0] };
  for (const holder of view.holders) {
    if (holder.gpu !== gpu) continue;
    ledger.look('pages objects');
    view.forEachDmaPage(holder, (page) => {
      checkHeld(ledger, page, held.iovas);
      checkKind(kinds, gpu, page);
      const proto = dmaProto(page.addr);
      held.pages[proto]++;
      if (page.index === 0) held.sums[proto] += page.addr;
    });
  }
  // Objects in another device's memory that the device has mapped by hand.
  for (const { bos } of view.gpus) {
    for (const bo of bos) {
      for (const addr of bo.attachmentOf(gpu)) {
        held.pages[dmaProto(addr)]++;
        held.sums[dmaProto(addr)] += addr;
      }
    }
  }
  return held;
}

/**
 * D1: maps less unmaps is what is live, and that is what the pages objects of the device hold.
 * Implied by the notifier lock: drm_gpusvm_get_pages sets the flag that says mapped in the critical section in which the addresses become valid, or unmaps what it
 * has mapped; drm_gpusvm_unmap_pages clears the flag where it unmaps. What is mapped without a holder is never unmapped.
 */
function checkIommu(rule: Rule, { iommu, index }: GpuHandle, { iovas }: Held): void {
  rule.look('mapped I/O pages', iommu.live);
  rule.require(
    iommu.live === iovas.size,
    {},
    () => `gpu${index} has ${iommu.live} I/O pages mapped, its mirrors hold ${iovas.size}`,
  );
  const balance = iommu.mapsTotal - iommu.unmapsTotal;
  rule.require(
    balance === iommu.live,
    {},
    () => `gpu${index}: maps less unmaps is ${balance}, but ${iommu.live} are live`,
  );
}

/** The device's own account of maps and unmaps, also of memory that no IOMMU is asked for; an unmap is of what was mapped. */
function checkAccount(ledger: Rule, kinds: Rule, { ledger: account, index }: GpuHandle, held: Held): void {
  for (const what of account.mismatches) kinds.violate({}, what);
  for (const [name, proto] of PROTOCOLS) {
    const live = account.liveOf(proto);
    ledger.require(
      live === held.pages[proto],
      {},
      () =>
        `gpu${index} has mapped ${live} pages by ${name} addresses, its mirrors hold ${held.pages[proto]}`,
    );
    kinds.require(
      live !== held.pages[proto] || account.sumOf(proto) === held.sums[proto],
      {},
      () => `gpu${index}: ${name} addresses were unmapped with another page, size or direction than mapped`,
    );
  }
}

/**
 * D4: reservations are given back whole: those that are left are those of pages objects. Implied by dma_iova_try_alloc and dma_iova_free, which take and
 * give back one span of I/O addresses per pages object, however much of it was linked.
 */
function checkReservations(view: MachineView, rule: Rule, gpu: GpuHandle): void {
  let held = 0;
  for (const holder of view.holders) {
    const { state, stateOffset } = holder.pages;
    if (holder.gpu !== gpu) continue;
    held += state.npages;
    rule.require(
      stateOffset <= state.npages,
      { page: holder.start },
      () => `gpu${gpu.index} has linked ${stateOffset} I/O pages of ${state.npages} that it has reserved`,
    );
  }
  const { reserved } = gpu.iommu;
  rule.look('devices');
  rule.look('reserved I/O pages', reserved);
  rule.require(
    reserved === held,
    {},
    () => `gpu${gpu.index} has ${reserved} I/O pages reserved, its mirrors hold ${held}`,
  );
}

function checkHeld(rule: Rule, { holder, page, addr, index }: DmaPage, held: Set<number>): void {
  const { pages, gpu } = holder;
  rule.require(
    pages.has(PagesFlag.HasDmaMapping),
    { page },
    () => `gpu${gpu.index} keeps an address of pages that are not mapped`,
  );
  if (dmaProto(addr) !== DmaProto.System) return;
  const iova = dmaPage(addr) + index;
  rule.require(!held.has(iova), { page }, () => `I/O page ${iova} of gpu${gpu.index} is held twice`);
  held.add(iova);
}

/**
 * D2: the mapping is live and has the direction that it was made with. Implied by the DMA API: an unmap names the device, size and direction of its map, so
 * drm_gpusvm keeps them in each address beside the protocol; with others the IOMMU's entries stay, or those of a neighbour go. What is mapped is for D6 to say.
 */
function checkKind(rule: Rule, gpu: GpuHandle, { page, addr, index }: DmaPage): void {
  if (dmaProto(addr) !== DmaProto.System) return;
  rule.look('I/O pages');
  const iova = dmaPage(addr) + index;
  const word = Atomics.load(gpu.iommu.iommu.words, iova);
  if (word === 0) {
    rule.violate({ page }, `gpu${gpu.index} holds I/O page ${iova}, which is not mapped`);
    return;
  }
  rule.require(
    iommuWordDir(word) === dmaDir(addr),
    { page },
    () => `I/O page ${iova} of gpu${gpu.index} is mapped in another direction than its holder believes`,
  );
}

/**
 * D3: after the CPU has unmapped the range, nothing of it stays mapped. Implied by drm_gpusvm_range_set_unmapped, which the callback of the unmap calls under the
 * notifier lock held for write, and by drm_gpusvm_get_pages, which looks at the flag under the same lock before it maps: the flag is never cleared, since what
 * the process maps there later is another area's.
 */
function checkUnmapped(view: MachineView): Rule {
  const rule = new Rule('D3', 'pages objects');
  for (const { gpu, pages, start } of view.holders) {
    rule.look('pages objects');
    const wrong = pages.has(PagesFlag.Unmapped) && pages.has(PagesFlag.HasDmaMapping);
    rule.require(
      !wrong,
      { page: start },
      () => `the range was unmapped, but gpu${gpu.index} maps it for DMA`,
    );
  }
  return rule;
}

/**
 * D5: whoever maps pages of a device's memory holds that memory, and nobody else does. Implied by the reference that drm_gpusvm_get_pages takes of the pagemap
 * with the flag for device pages, and that the unmap puts with it: the peer's driver may go away meanwhile, and its addresses with it.
 */
function checkPagemapRefs(view: MachineView): Rule {
  const rule = new Rule('D5', 'pages objects', 'pagemaps');
  const holders = new Map<DrmPagemap, number>();
  const hold = (dpagemap: DrmPagemap): void => {
    holders.set(dpagemap, (holders.get(dpagemap) ?? 0) + 1);
  };
  for (const { gpu, pages, start } of view.holders) {
    rule.look('pages objects');
    const { dpagemap } = pages;
    const should = pages.has(PagesFlag.HasDevmemPages);
    rule.require(
      (dpagemap !== null) === should,
      { page: start },
      () =>
        `gpu${gpu.index} ${should ? 'maps device pages without' : 'maps no device pages, but keeps'} their pagemap`,
    );
    if (dpagemap !== null) hold(dpagemap);
  }
  for (const zdd of view.zdds) hold(zdd.dpagemap);
  // The driver's own, as long as it is bound to the device.
  for (const { dpagemap } of view.gpus) if (dpagemap !== null) hold(dpagemap);
  for (const [dpagemap, expected] of holders) {
    rule.look('pagemaps');
    const { index } = dpagemap.device;
    rule.require(
      dpagemap.references === expected,
      {},
      () => `the pagemap of gpu${index} has ${dpagemap.references} references, but ${expected} holders`,
    );
  }
  const { unhold } = view.coordinator.vram.pagemaps;
  const inUse = unhold.live.size - unhold.pending;
  rule.require(
    inUse === holders.size,
    {},
    () => `${inUse} pagemaps are in use, but ${holders.size} have holders`,
  );
  return rule;
}

/**
 * S6: the addresses of a mapped range cover it exactly. Implied by the order that each address has of the folio which it maps: users of the array go from one to
 * the next by it until the range is covered, so a wrong sum makes them read past the end or leaves pages out.
 */
function checkSizes(view: MachineView): Rule {
  const rule = new Rule('S6', 'mapped ranges');
  for (const holder of view.holders) {
    const { gpu, pages, start, npages } = holder;
    if (!pages.has(PagesFlag.HasDmaMapping)) continue;
    rule.look('mapped ranges');
    const covered = coveredPages(holder);
    rule.require(
      covered === npages,
      { page: start },
      () => `gpu${gpu.index} has addresses of ${covered} of ${npages} pages`,
    );
  }
  return rule;
}

function coveredPages({ pages, npages }: DmaHolder): number {
  const { dmaAddrs } = pages;
  let covered = 0;
  for (let at = 0; dmaAddrs !== null && at < dmaAddrs.length && covered < npages; at++) {
    const addr = dmaAddrAt(dmaAddrs, at);
    if (addr === 0) break;
    covered += 1 << dmaOrder(addr);
  }
  return covered;
}
