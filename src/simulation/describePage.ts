/** The state of one page in words: the area, the entry, where the page lives, and who maps it. */

import type { Coordinator } from '../actors/coordinator.js';
import { formatVpn, type Vpn, vpn } from '../base/units.js';
import { formatGpuPte, gpuPteAt } from '../device/gpuPte.js';
import type { GpuSnapshot } from '../device/gpuSnapshot.js';
import { inSpace, type SpaceId } from '../device/gpuSpace.js';
import type { Mm } from '../mm/process/mm.js';
import { formatPte, PTE_NONE, PteKind, pteFromWord, pteIsMapping, pteKind, ptePfn } from '../mm/table/pte.js';

/** Of a process's page: the area, the CPU's entry, the folio and everybody who maps it. */
export function describePage(coordinator: Coordinator, mm: Mm, page: Vpn): string {
  const vma = mm.vmas.find(page);
  const area =
    vma === null
      ? 'no area'
      : `area ${formatVpn(vma.start)}-${formatVpn(vma.end)} flags 0x${vma.flags.toString(16)}`;
  const pte = pteFromWord(mm.pageTable.get(page));
  const parts = [formatVpn(page), area, `entry ${formatPte(pte)}`];
  if (pte !== PTE_NONE && (pteIsMapping(pte) || pteKind(pte) === PteKind.Migration)) {
    parts.push(coordinator.kernel.folios.describe(ptePfn(pte)));
    parts.push(`mapped by ${mappersOf(coordinator, ptePfn(pte)).join(', ')}`);
  }
  return parts.join(', ');
}

/** Equal for pages that differ in addresses alone: the same area's, with entries of one kind, in one zone. */
export function pageKindText({ kernel }: Coordinator, mm: Mm, page: Vpn): string {
  const pte = pteFromWord(mm.pageTable.get(page));
  const isSomewhere = pte !== PTE_NONE && (pteIsMapping(pte) || pteKind(pte) === PteKind.Migration);
  const zone = isSomewhere ? kernel.folios.zoneName(ptePfn(pte)) : '';
  return `${mm.vmas.find(page)?.start} ${formatPte(pte).replaceAll(/0x[\da-f]+/g, '')} ${zone}`;
}

/** Every entry of every process that leads to the page. */
function mappersOf(coordinator: Coordinator, pfn: number): string[] {
  const found: string[] = [];
  for (const mm of coordinator.processes.all()) {
    for (const vma of mm.vmas) {
      for (let at: number = vma.start; at < vma.end; at++) {
        const pte = pteFromWord(mm.pageTable.get(at));
        if (pteIsMapping(pte) && ptePfn(pte) === pfn) found.push(`mm ${mm.id} at ${formatVpn(vpn(at))}`);
      }
    }
  }
  return found;
}

/** One line for the CPU's side of a page, and one for each device that translates it. */
export function describeEverywhere(
  coordinator: Coordinator,
  devices: readonly GpuSnapshot[],
  process: number,
  page: Vpn,
): string[] {
  const mm = coordinator.processes.find(process);
  if (mm === null) return [`there is no process ${process}`];
  const space = coordinator.mirrors.spaceOf(mm);
  const translations = devices.map((snapshot) => describeTranslation(snapshot, space, page));
  return [`CPU   ${describePage(coordinator, mm, page)}`, ...translations];
}

function describeTranslation(
  { device, ptePages, ptes, tlbPages }: GpuSnapshot,
  space: SpaceId | null,
  page: Vpn,
): string {
  if (space === null) return `gpu${device}  no mirror`;
  const tagged = inSpace(space, page);
  const at = ptePages.indexOf(tagged);
  const cached = tlbPages.includes(tagged) ? ', in the TLB' : '';
  return `gpu${device}  ${at < 0 ? 'no entry' : formatGpuPte(gpuPteAt(ptes, at))}${cached}`;
}
