/** Files: what is in the page cache says so, areas and files know one another, and an entry maps what its area may show. */

import type { Vpn } from '../base/units.js';
import { FolioFlag } from '../memory/folios.js';
import { ZoneKind } from '../memory/zone.js';
import type { Vma } from '../mm/area/vma.js';
import type { CpuEntries } from '../mm/cpuEntries.js';
import type { Kernel } from '../mm/kernel.js';
import type { Mm } from '../mm/process/mm.js';
import { type Pte, pteIsMapping, ptePfn } from '../mm/table/pte.js';
import { Rule } from './rule.js';

/** At rest; `mms` are all that have areas, `entries` those of their page tables. */
export function checkFiles(kernel: Kernel, mms: readonly Mm[], entries: CpuEntries): Rule[] {
  const mapped = new Rule('file mappings', 'entries', 'areas');
  for (const mm of mms) {
    if (mm.count > 0) checkAreas(kernel, mapped, mm);
  }
  entries.forEach((_, page, pte, vma) => {
    checkEntry(kernel, mapped, page, pte, vma);
  });
  return [checkCache(kernel, mms), mapped];
}

function checkCache(kernel: Kernel, mms: readonly Mm[]): Rule {
  const rule = new Rule('page cache', 'files', 'pages', 'areas');
  const { folios, memory } = kernel;
  for (const file of kernel.pageCache.files) {
    rule.look('files');
    for (const [index, pfn] of file.pages) {
      rule.look('pages');
      const isOwn = folios.isCached(pfn) && folios.mapping(pfn) === file.id && folios.index(pfn) === index;
      rule.require(isOwn, { pfn }, () => `page ${index} of file ${file.id} says it is another's`);
      rule.require(index < file.npages, { pfn }, () => `page ${index} lies beyond the end of its file`);
      const isRam = memory.layout.zoneOf(pfn).kind === ZoneKind.System;
      rule.require(isRam, { pfn }, () => 'a page of a file is in device memory');
    }
    for (const { value } of file.areas) {
      rule.look('areas');
      const isThere = mms.includes(value.mm) && value.mm.vmas.find(value.vma.start) === value.vma;
      rule.require(isThere, { page: value.vma.start }, () => `file ${file.id} knows an area that is gone`);
    }
  }
  return rule;
}

function checkAreas(kernel: Kernel, rule: Rule, mm: Mm): void {
  for (const vma of mm.vmas) {
    rule.look('areas');
    const { file } = vma;
    if (file === null) continue;
    const isKnown = kernel.pageCache.get(file.mapping.id) === file.mapping && file.mapping.has(vma);
    rule.require(isKnown, { page: vma.start }, () => 'an area that its file does not know');
  }
}

function checkEntry(kernel: Kernel, rule: Rule, page: Vpn, pte: Pte, vma: Vma | null): void {
  if (vma === null || !pteIsMapping(pte) || kernel.isZeroPage(ptePfn(pte))) return;
  rule.look('entries');
  if (mapsRightPage(kernel, vma, page, pte)) return;
  const { folios } = kernel;
  const what = folios.describe(folios.headOf(ptePfn(pte)));
  rule.violate({ page, pfn: ptePfn(pte) }, `not a page of this area: ${what}`);
}

/** Shared areas show the file; private ones the file or copies; areas without a file, anonymous memory. Drivers' pages belong to no file. */
function mapsRightPage(kernel: Kernel, vma: Vma, page: Vpn, pte: Pte): boolean {
  const { folios } = kernel;
  const pfn = ptePfn(pte);
  if (folios.testFlag(folios.headOf(pfn), FolioFlag.Anon)) return !vma.isShared;
  const { file } = vma;
  if (file === null) return false;
  if (file.type.insertsPages) return folios.mapping(pfn) === 0;
  return folios.mapping(pfn) === file.mapping.id && folios.index(pfn) === vma.indexOf(page);
}
