/** The state of pages that a failing step is about, in words: the entry, where the page lives, and who maps it. */

import type { Coordinator } from '../../actors/coordinator.js';
import { type Vpn, vpn } from '../../base/units.js';
import type { Step } from '../../case/opSchemas.js';
import type { CaseProgram } from '../../workload/case/caseProgram.js';
import { describePage, pageKindText } from '../describePage.js';

/** Lines of one problem. */
const LINES_MAX = 8;
/** Pages that are looked at for one problem. */
const LOOKED_MAX = 4096;

/** Pages count from the start of the step's buffer; without any those of the step's span are meant. Of pages in a row that are alike the first stands for all. */
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
  const asked = pages.length === 0 ? spanOf(step, off, place.pages) : pages.slice(0, LOOKED_MAX);
  const pageAt = (page: number): Vpn => vpn(place.start + page);
  return runsOf(asked, (page) => pageKindText(coordinator, space, pageAt(page)))
    .slice(0, LINES_MAX)
    .map(({ first, last }) => {
      const pagesText = first === last ? `page ${first}` : `pages ${first} to ${last}, the first`;
      return `${named} ${pagesText}: ${describePage(coordinator, space, pageAt(first))}`;
    });
}

/** Of a step that names no number of pages: to the end of the buffer. */
function spanOf({ args }: Step, off: number, ofBuffer: number): number[] {
  const pages = 'pages' in args && typeof args.pages === 'number' ? args.pages : ofBuffer - off;
  const length = Math.min(Math.max(1, pages), LOOKED_MAX);
  return Array.from({ length }, (_, i) => off + i);
}

/** Pages in a row that are of one kind. */
interface Run {
  readonly first: number;
  readonly last: number;
}

function runsOf(pages: readonly number[], kindOf: (page: number) => string): Run[] {
  const runs: Run[] = [];
  let kind = '';
  for (const page of pages) {
    const last = runs.at(-1);
    const found = kindOf(page);
    if (last?.last === page - 1 && found === kind) runs[runs.length - 1] = { first: last.first, last: page };
    else runs.push({ first: page, last: page });
    kind = found;
  }
  return runs;
}
