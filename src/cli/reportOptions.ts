/** The options of `svmsim report`, without what it needs to run. */

import type { Command } from 'commander';
import { addExamples } from './commonOptions.js';

export const REPORT_OPTION = '--output';
export const REPORT_FILE = 'report.html';

export interface ReportOptions {
  readonly output?: string;
  readonly policy?: string;
}

export function addReportCommand(
  program: Command,
  action: (runs: string[], options: ReportOptions) => Promise<void>,
): void {
  const command = program
    .command('report')
    .summary('a page of a run, of two runs to compare, or of a failure')
    .description(
      'Makes one HTML file that needs no network: of a trace or of a JSON result; of two of them, before and after; or of a failure file of explore.',
    )
    .argument(
      '<run...>',
      'FILE.svmtrace (run --trace), a JSON document (run --json), or a failure file; two to compare',
    )
    .option(`-o, ${REPORT_OPTION} <file>`, 'where to write the page', REPORT_FILE)
    .option('--policy <file>', 'the module of your own that a failure was found with')
    .action(action);
  addExamples(command, [
    ['svmsim run --trace run.svmtrace && svmsim report run.svmtrace', 'the whole report of a run'],
    ['svmsim report before.svmtrace after.svmtrace -o change.html', 'what changed between two runs'],
    ['svmsim report svmsim-failure.bin -o failure.html', 'a failure as lanes, step by step'],
  ]);
}
