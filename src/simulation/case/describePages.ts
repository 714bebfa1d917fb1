/** The state of pages that a failing step is about, in words: the entry, where the page lives, and who maps it. */

import type { Coordinator } from '../../actors/coordinator.js';
import { vpn } from '../../base/units.js';
import type { Step } from '../../case/opSchemas.js';
import type { CaseProgram } from '../../workload/case/caseProgram.js';
import { describePage } from '../describePage.js';

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
