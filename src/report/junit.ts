/** Results of cases in the XML that test dashboards read. */

import type { CaseReport } from '../simulation/case/caseReport.js';
import { caseDetail, caseTitle } from './caseReport.js';
import { plural } from './units.js';

const MILLISECONDS_PER_SECOND = 1000;

/**
 * One `testsuite` per suite, one `testcase` per case. Where cases were not run, since the user ended it, one more of each says so as an error: a
 * dashboard would take the others for all there are.
 */
export function junitXml(reports: readonly CaseReport[], notRun: number): string {
  const suites = [...new Set(reports.map(({ suite }) => suite))];
  const bodies = suites.map((suite) =>
    suiteXml(
      suite,
      reports.filter((report) => report.suite === suite),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${counts(reports, notRun)}>\n${bodies.join('')}${notRun === 0 ? '' : interruptedXml(notRun)}</testsuites>\n`;
}

function interruptedXml(notRun: number): string {
  const error = `      <error message="interrupted: ${plural(notRun, 'case')} not run"/>\n`;
  const one = `    <testcase classname="svmsim" name="all cases were run" time="0.000">\n${error}    </testcase>\n`;
  return `  <testsuite name="svmsim"${counts([], notRun)}>\n${one}  </testsuite>\n`;
}

function suiteXml(suite: string, reports: readonly CaseReport[]): string {
  const name = ` name="${escapeXml(suite)}"`;
  return `  <testsuite${name}${counts(reports)}>\n${reports.map(caseXml).join('')}  </testsuite>\n`;
}

function counts(reports: readonly CaseReport[], notRun = 0): string {
  const errors = notRun === 0 ? 0 : 1;
  const count = (status: string): number => reports.filter((report) => report.status === status).length;
  const seconds = reports.reduce((sum, { wallMs }) => sum + wallMs, 0) / MILLISECONDS_PER_SECOND;
  return ` tests="${reports.length + errors}" failures="${count('fail')}" errors="${errors}" skipped="${count('skip')}" time="${seconds.toFixed(3)}"`;
}

function caseXml(report: CaseReport): string {
  const seconds = (report.wallMs / MILLISECONDS_PER_SECOND).toFixed(3);
  const head = `    <testcase classname="${escapeXml(report.suite)}" name="${escapeXml(caseTitle(report))}" time="${seconds}"`;
  if (report.status === 'pass') return `${head}/>\n`;
  const detail = escapeXml(caseDetail(report));
  if (report.status === 'skip') return `${head}>\n      <skipped message="${detail}"/>\n    </testcase>\n`;
  const message = escapeXml(report.problems[0]?.found ?? 'failed');
  return `${head}>\n      <failure message="${message}">${detail}</failure>\n    </testcase>\n`;
}

/** Characters that XML 1.0 does not allow at all become question marks. */
export function escapeXml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/\n/g, '&#10;')
    .replace(/[^\t\r -\ud7ff\ue000-\ufffd]/g, '?');
}
