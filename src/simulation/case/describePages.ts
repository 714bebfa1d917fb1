/** The state of pages that a failing step is about, in words: the entry, where the page lives, and who maps it. */

import type { Coordinator } from '../../actors/coordinator.js';
import { formatVpn, type Vpn, vpn } from '../../base/units.js';
import type { Step } from '../../case/opSchemas.js';
import type { Mm } from '../../mm/process/mm.js';
import {
  formatPte,
  PTE_NONE,
  PteKind,
  pteFromWord,
  pteIsMapping,
  pteKind,
  ptePfn,
} from '../../mm/table/pte.js';
import type { CaseProgram } from '../../workload/case/caseProgram.js';

const PAGES_MAX = 8;

/** Pages count from the start of the step's buffer; without any the first of the step's span stands for all. */
export function describePages(
  coordinator: Coordinator,
  program: CaseProgram,
  step: Step,
  pages: readonly number[],
): string[] {
  const named = 'buf' in step.args && typeof step.args.buf === 'string' ? step.args.buf : null;
  const process = 'proc' in step.args && typeof step.args.proc === 'string' ? step.args.proc : 'p0';
  const off = 'off' in step.args && typeof step.args.off === 'number' ? step.args.off : 0;
  const place = program.results().buffers.find((one) => one.name === named && one.process === process);
  const mm = program.thread?.processes.get(process)?.mm;
  if (place === undefined || mm === undefined) return [];
  const space = coordinator.processes.find(mm);
  if (space === null) return [`process ${process} has ended`];
  return (pages.length === 0 ? [off] : pages)
    .slice(0, PAGES_MAX)
    .map((page) => `${named} page ${page}: ${describePage(coordinator, space, vpn(place.start + page))}`);
}

function describePage(coordinator: Coordinator, mm: Mm, page: Vpn): string {
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
