/** What became of cases, as text: a line for each, what went wrong, and a table of suites. */

import type { Case } from '../case/caseSchema.js';
import type { CaseProblem, CaseReport, CaseStatus, FailureRuns } from '../simulation/case/caseReport.js';
import type { Colors } from './colors.js';
import { left, right, textTable } from './textTable.js';
import { plural } from './units.js';
import { verdictLine } from './verdict.js';

const PROBLEMS_MAX = 5;

/** As it is listed, and as `--filter` looks at it. */
export function fullCaseTitle({ suite, name, variant }: Pick<Case, 'suite' | 'name' | 'variant'>): string {
  return `${suite}: ${caseTitle({ name, variant: variant ?? null })}`;
}

/** Name with its variant. */
export function caseTitle({ name, variant }: Pick<CaseReport, 'name' | 'variant'>): string {
  return variant === null ? name : `${name} [${variant}]`;
}

/** One line, and below it what does not hold. */
export function caseLines(report: CaseReport, colors: Colors): string {
  const { suite, status, missing, problems } = report;
  const reason = missing === null ? `${runsOf(report)}${nothingOf(report)}` : `: ${missing} is missing`;
  const head = `${paintStatus(status, colors)}  ${suite}: ${caseTitle(report)}${reason}\n`;
  const shown = problems.slice(0, PROBLEMS_MAX).map((problem) => problemLines(problem));
  const more = problems.length - PROBLEMS_MAX;
  return head + shown.join('') + (more > 0 ? `      and ${more} more\n` : '');
}

function runsOf({ failures }: CaseReport): string {
  if (failures === undefined) return '';
  const { allocations, runs } = failures;
  const left = allocations === runs ? '' : ` of ${allocations}`;
  return ` (${runs} runs with a failing allocation${left})`;
}

/** A case without expectations passes as long as its steps can be carried out, and that is not what its author meant, as a rule. */
function nothingOf({ status, expectsNothing }: CaseReport): string {
  return status === 'pass' && expectsNothing === true ? ' (nothing expected)' : '';
}

/** The same in one paragraph, without colours: for JSON and JUnit. */
export function caseDetail({ missing, problems }: CaseReport): string {
  if (missing !== null) return `${missing} is missing`;
  return problems.map(problemLines).join('').trimEnd();
}

function problemLines({ step, expectation, found, pages }: CaseProblem): string {
  const lines = [`      ${step}`, ...indented('expected ', expectation), ...indented('found    ', found)];
  return `${[...lines, ...pages.map((page) => `        ${page}`)].join('\n')}\n`;
}

function indented(title: string, text: string): string[] {
  const [first, ...rest] = text.split('\n');
  return [`        ${title}${first}`, ...rest.map((line) => `          ${line}`)];
}

function paintStatus(status: CaseStatus, colors: Colors): string {
  const paint = { pass: colors.green, fail: colors.red, skip: colors.yellow }[status];
  return paint(status);
}

/** What all of them come to, in the words of a run. `total` is how many there were to be run. */
export function caseVerdictLine(reports: readonly CaseReport[], total: number, colors: Colors): string {
  const count = (status: CaseStatus): number => reports.filter((report) => report.status === status).length;
  const skipped = count('skip') === 0 ? '' : `, ${count('skip')} skipped`;
  const passed = `${plural(count('pass'), 'case')} passed${skipped}`;
  const cut =
    reports.length < total ? `interrupted after ${reports.length} of ${plural(total, 'case')}; ` : '';
  if (count('fail') > 0) {
    const failed = `${plural(count('fail'), 'case')} failed${internalOf(reports)}`;
    return verdictLine({ word: 'FAILED', text: `${cut}${failed}, ${passed}` }, colors);
  }
  return verdictLine({ word: cut === '' ? 'PASSED' : 'PARTIAL', text: cut + passed }, colors);
}

function internalOf(reports: readonly CaseReport[]): string {
  const count = reports.filter(({ isInternal }) => isInternal).length;
  return count === 0 ? '' : ` (${count} by an internal error)`;
}

/** Counts of each suite, and of all. */
export function suiteTable(reports: readonly CaseReport[], colors: Colors): string {
  const withFailures = reports.some(({ failures }) => failures !== undefined);
  const suites = [...new Set(reports.map(({ suite }) => suite))];
  const rows = suites.map((suite) =>
    rowOf(
      suite,
      reports.filter((report) => report.suite === suite),
      withFailures,
    ),
  );
  if (suites.length > 1) rows.push(rowOf('all', reports, withFailures));
  const columns = [left('suite'), right('cases'), right('pass'), right('fail'), right('skip')];
  if (withFailures) columns.push(right('allocations'), right('runs with one failing'));
  return `${textTable(columns, rows, { title: colors.bold }).join('\n')}\n`;
}

function rowOf(title: string, reports: readonly CaseReport[], withFailures: boolean): string[] {
  const count = (status: CaseStatus): string =>
    String(reports.filter((report) => report.status === status).length);
  const row = [title, String(reports.length), count('pass'), count('fail'), count('skip')];
  if (!withFailures) return row;
  const { allocations, runs } = sumOfFailures(reports);
  return [...row, String(allocations), String(runs)];
}

/** Over all cases of which allocations were to fail. */
export function sumOfFailures(reports: readonly CaseReport[]): Pick<FailureRuns, 'allocations' | 'runs'> {
  let allocations = 0;
  let runs = 0;
  for (const { failures } of reports) {
    allocations += failures?.allocations ?? 0;
    runs += failures?.runs ?? 0;
  }
  return { allocations, runs };
}
