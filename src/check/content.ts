/** M1: every byte is what it must be, wherever the page lives; and no page is populated that nobody knows the content of. */

import { IntervalTree } from '../base/intervalTree.js';
import { type Vpn, vpn } from '../base/units.js';
import { formatPte, PteKind, pteKind } from '../mm/table/pte.js';
import type { Expectation } from '../workload/workload.js';
import type { MachineView } from './machineView.js';
import { Rule } from './rule.js';

/**
 * M1 is implied by the order of a migration: the sources are unmapped and locked before the copy, and migrate_vma_pages makes an entry of the new page only for
 * what the copy has left in the list, so a page's words are copied once, with nobody storing to them. A hole, or the zero page, becomes memory that the copy
 * clears.
 */
export function checkContent(view: MachineView, expectations: readonly Expectation[]): Rule[] {
  const spans = new IntervalTree<Expectation>();
  for (const span of expectations)
    if (span.npages > 0) spans.insert(span.start, span.start + span.npages, span);
  return [checkExpected(view, expectations, spans), checkCovered(view, spans)];
}

function checkExpected(
  view: MachineView,
  expectations: readonly Expectation[],
  spans: IntervalTree<Expectation>,
): Rule {
  const rule = new Rule('M1', 'pages', 'populated pages');
  for (const expectation of expectations) {
    const { start, npages, isAnything } = expectation;
    if (isAnything) continue;
    rule.look('pages', npages);
    if (isSparse(expectation)) continue;
    for (let i = 0; i < npages; i++) checkPage(view, rule, expectation, vpn(start + i));
  }
  checkSparse(view, rule, expectations, spans);
  return rule;
}

/** Spans may be far larger than all that was ever populated in them. */
function checkSparse(
  view: MachineView,
  rule: Rule,
  expectations: readonly Expectation[],
  spans: IntervalTree<Expectation>,
): void {
  const seen = new Set<Vpn>();
  view.forEachHeld((page) => {
    const span = sparseAt(spans, page);
    if (span === null) return;
    seen.add(page);
    checkPage(view, rule, span, page);
  });
  for (const expectation of expectations) {
    if (!isSparse(expectation)) continue;
    for (const page of expectation.written ?? [])
      if (!seen.has(page)) checkPage(view, rule, expectation, page);
  }
}

function isSparse({ written, isAnything }: Expectation): boolean {
  return written !== undefined && !isAnything;
}

function sparseAt(spans: IntervalTree<Expectation>, page: Vpn): Expectation | null {
  const end = page + 1;
  for (let node = spans.firstOverlap(page, end); node !== null; node = spans.nextOverlap(node, page, end))
    if (isSparse(node.value)) return node.value;
  return null;
}

/** A page in migration has no content that could be looked at; that there is one is for M4 to say. */
function checkPage(view: MachineView, rule: Rule, expectation: Expectation, page: Vpn): void {
  const pte = view.pteAt(page);
  if (pteKind(pte) === PteKind.Migration) return;
  const words = view.contentAt(page);
  if (words === null) {
    const wrong = expectation.check(page, null);
    if (wrong !== null) rule.violate({ page }, `${wrong} (nothing is populated: ${formatPte(pte)})`);
    return;
  }
  rule.look('populated pages');
  const wrong = expectation.check(page, words);
  if (wrong === null) return;
  const pfn = view.populatedPfn(pte);
  if (pfn === null) rule.violate({ page }, `${wrong} (in swap)`);
  else rule.violate({ page, pfn }, `${wrong} (in ${view.layout.zoneOf(pfn).name})`);
}

function checkCovered(view: MachineView, spans: IntervalTree<Expectation>): Rule {
  const rule = new Rule('content', 'populated pages');
  view.entries.forEach((mm, page, pte) => {
    // What workloads expect is the first process's memory.
    if (mm !== view.mm) return;
    const pfn = view.populatedPfn(pte);
    if (pfn === null) return;
    rule.look('populated pages');
    const covered = spans.firstOverlap(page, page + 1) !== null;
    if (!covered) rule.violate({ page, pfn }, 'is populated, but no workload says what it must hold');
  });
  return rule;
}
