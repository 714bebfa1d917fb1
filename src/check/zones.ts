/** Free plus used is all, in every zone, and used is what is really used. */

import { PMD_PAGES } from '../base/units.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

export function checkZones(view: MachineView): Rule[] {
  const rule = new Rule('zones', 'zones', 'pages', 'used');
  checkRam(view, rule);
  for (const snapshot of view.devices) checkVram(view, rule, snapshot);
  return [rule];
}

/** RAM in use is what somebody holds. */
function checkRam(view: MachineView, rule: Rule): void {
  const { ram } = view.kernel;
  look(rule, ram.totalPages, ram.usedPages);
  let held = view.kernel.hugetlb.free * PMD_PAGES;
  for (const pfn of view.references.frames) {
    if (view.layout.zoneOf(pfn).id === view.layout.ram.id) held += view.folios.npages(pfn);
  }
  rule.require(
    ram.usedPages === held,
    {},
    () => `ram: ${ram.usedPages} pages are in use, but somebody holds ${held}`,
  );
  // The allocator's blocks, not its count.
  const free = ram.countFree();
  rule.require(
    free === ram.freePages && free + ram.usedPages === view.layout.ram.pages,
    {},
    () =>
      `ram: ${free} pages are free one by one, but ${ram.freePages} free and ${ram.usedPages} used by count`,
  );
}

/** VRAM in use is the driver's live allocations, as the device knows them too. */
function checkVram(view: MachineView, rule: Rule, { device, vram, vramRuns }: GpuSnapshot): void {
  const zone = view.layout.vramOf(device);
  look(rule, zone.pages, vram.usedPages);
  const sum = vram.freePages + vram.usedPages;
  rule.require(sum === zone.pages, {}, () => `${zone.name}: free plus used is ${sum} of ${zone.pages} pages`);
  const onDevice = runPages(vramRuns);
  const known = new Map<number, number>(view.vramOf(view.gpus[device]));
  let listed = 0;
  for (const npages of known.values()) listed += npages;
  rule.require(
    vram.usedPages === listed,
    {},
    () => `${zone.name}: ${vram.usedPages} pages are in use, but the driver's allocations have ${listed}`,
  );
  for (const [id, pages] of onDevice) {
    rule.require(
      known.get(id) === pages,
      {},
      () =>
        `${zone.name}: allocation ${id} has ${pages} pages on the device and ${known.get(id) ?? 'none'} in the driver`,
    );
  }
}

function runPages(vramRuns: Uint32Array): Map<number, number> {
  const pages = new Map<number, number>();
  for (let at = 0; at < vramRuns.length; at += 3) {
    pages.set(vramRuns[at], (pages.get(vramRuns[at]) ?? 0) + vramRuns[at + 2]);
  }
  return pages;
}

function look(rule: Rule, pages: number, used: number): void {
  rule.look('zones');
  rule.look('pages', pages);
  rule.look('used', used);
}
