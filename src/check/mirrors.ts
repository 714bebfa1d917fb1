/** The mirror driver's rules: its device pages are in use exactly when something maps them, and its tables say what the CPU's say. */

import { formatVpn, type Vpn } from '../base/units.js';
import type { MirrorDevice } from '../driver/mirror/mirrorDevice.js';
import { MirrorTag } from '../driver/mirror/mirrorTable.js';
import type { MirrorView } from '../driver/mirror/mirrorView.js';
import { type Pfn, pfn as pfnOf } from '../memory/pfn.js';
import { ZoneKind } from '../memory/zone.js';
import type { Kernel } from '../mm/kernel.js';
import type { Mm } from '../mm/process/mm.js';
import { formatPte, PteBit, PteKind, pteFromWord, pteHas, pteKind, ptePfn } from '../mm/table/pte.js';
import { Rule } from './rule.js';

/** At rest: no command, migration or fault is under way. */
export function checkMirrors(
  kernel: Kernel,
  mms: readonly Mm[],
  devices: readonly MirrorDevice[],
  /** Frames that are in use by their metadata, or that somebody holds. */
  used: readonly Pfn[],
): Rule[] {
  const contexts = devices.flatMap((device) => [...device.contexts]);
  return [checkFrames(kernel, devices, used), checkTables(kernel, mms, contexts)];
}

/** What GPUs of the reference driver hold in such tables beside their own; no rule where nobody has asked for that. */
export function checkGpuViews(kernel: Kernel, mms: readonly Mm[], views: readonly MirrorView[]): Rule[] {
  return views.length === 0 ? [] : [checkTables(kernel, mms, views)];
}

/** A page is free in the driver's memory exactly when it has no reference, and names its context exactly while it is in use. */
function checkFrames(kernel: Kernel, devices: readonly MirrorDevice[], used: readonly Pfn[]): Rule {
  const rule = new Rule('mirror pages', 'device pages', 'in use');
  for (const device of devices) {
    const { zone, memory } = device;
    rule.look('device pages', zone.pages);
    let inUse = 0;
    for (const pfn of used) {
      if (pfn < zone.firstPfn || pfn >= zone.firstPfn + zone.pages) continue;
      checkFrame(kernel, rule, device, pfn);
      if (!memory.isFree(pfn)) inUse++;
    }
    // Only where the driver has more in use than that are all pages looked at one by one.
    if (memory.countUsed() !== inUse) checkEachFrame(kernel, rule, device);
  }
  return rule;
}

function checkEachFrame(kernel: Kernel, rule: Rule, device: MirrorDevice): void {
  const { firstPfn, pages } = device.zone;
  for (let i = 0; i < pages; i++) checkFrame(kernel, rule, device, pfnOf(firstPfn + i));
}

function checkFrame(kernel: Kernel, rule: Rule, device: MirrorDevice, pfn: Pfn): void {
  const { folios } = kernel;
  const refs = folios.refcount(folios.headOf(pfn));
  const isFree = device.memory.isFree(pfn);
  rule.require(isFree === (refs === 0), { pfn }, () =>
    isFree ? `free in the driver, but has ${refs} references` : 'in use in the driver, but nobody holds it',
  );
  checkContext(kernel, rule, device, pfn, refs);
}

function checkContext(kernel: Kernel, rule: Rule, device: MirrorDevice, pfn: Pfn, refs: number): void {
  const head = kernel.folios.headOf(pfn);
  const id = kernel.folios.zoneData(head);
  if (refs === 0) {
    rule.require(id === 0, { pfn }, () => `free, but names context ${id}`);
    return;
  }
  rule.look('in use');
  rule.require(
    device.contextOf(head) !== null,
    { pfn },
    () => `in use, but names context ${id}, which does not exist`,
  );
}

/** An entry of a device page table stands for an entry of the CPU's with the same page and at least its rights. */
function checkTables(kernel: Kernel, mms: readonly Mm[], views: Iterable<MirrorView>): Rule {
  const rule = new Rule('mirror tables', 'contexts', 'entries');
  for (const view of views) {
    rule.look('contexts');
    const isKnown = mms.includes(view.mm);
    rule.require(isKnown, {}, () => `context ${view.id} of ${view.device.name} has an unknown address space`);
    view.table.forEach((page, pfn, tag) => {
      rule.look('entries');
      checkEntry(kernel, rule, view, page, pfn, tag);
    });
  }
  return rule;
}

function checkEntry(kernel: Kernel, rule: Rule, view: MirrorView, page: Vpn, pfn: Pfn, tag: MirrorTag): void {
  const { mm, device } = view;
  const pte = pteFromWord(mm.count === 0 ? 0 : mm.pageTable.get(page));
  const where = { page, pfn };
  const entry = (): string => `${device.name} maps ${formatVpn(page)}, the CPU has ${formatPte(pte)}`;
  rule.require(ptePfn(pte) === pfn && pteKind(pte) === expectedKind(kernel, pfn, tag), where, entry);
  const mayWrite = tag !== MirrorTag.Write || pteHas(pte, PteBit.Write);
  rule.require(mayWrite, where, () => `${entry()}: the device may write`);
}

function expectedKind(kernel: Kernel, pfn: Pfn, tag: MirrorTag): PteKind {
  if (tag === MirrorTag.Atomic) return PteKind.DeviceExclusive;
  const { kind } = kernel.memory.layout.zoneOf(pfn);
  return kind === ZoneKind.DevicePrivate ? PteKind.DevicePrivate : PteKind.Present;
}
