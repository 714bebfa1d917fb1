/** `--trace FILE` and `--report FILE`: record a run, and write it down in the format that the name asks for, or as a page to look at. */

import type { Command } from 'commander';
import type { Trace } from '../observe/trace/trace.js';
import type { JsonDocument } from '../report/json.js';
import type { StatusOutput } from '../report/statusLine.js';
import { checkTraceName, traceEndings, writeTrace } from '../report/trace/traceFormat.js';
import { formatBytes, formatCount } from '../report/units.js';
import { reportPages } from './outputFiles.js';
import { FileOutput } from './resultOutput.js';

const TRACE = '--trace';
const REPORT = '--report';

export interface TraceOptions {
  readonly trace?: string;
  readonly report?: string;
}

export function addTraceOption(command: Command): Command {
  return command
    .option(`${TRACE} <file>`, `records the run; the ending says how: ${traceEndings}`)
    .option(`${REPORT} <file>`, 'records the run and makes a page of it (HTML, one file)');
}

export class TraceOutput {
  private readonly trace: string | undefined;
  private readonly report: string | undefined;
  private readonly page: FileOutput;
  private recorded: Trace | null = null;

  /** @throws UserError for a name or a place that will not do, before the run rather than after it. */
  constructor({ trace, report }: TraceOptions) {
    this.trace = trace;
    this.report = report;
    this.page = new FileOutput(REPORT, report, reportPages);
    if (trace === undefined) return;
    checkTraceName(TRACE, trace);
    new FileOutput(TRACE, trace);
  }

  get isWanted(): boolean {
    return this.trace !== undefined || this.report !== undefined;
  }

  keep(recorded: Trace): void {
    this.recorded = recorded;
  }

  /** Says how much it was, and what is missing from it. Null: the run came to no result, but what was recorded may say why. */
  async write(document: JsonDocument | null, notes: StatusOutput): Promise<void> {
    const { recorded, trace } = this;
    if (recorded === null) return;
    if (trace !== undefined) {
      writeTrace(TRACE, trace, recorded, document);
      notes.write(`svmsim: ${countText(recorded)} in ${trace}\n`);
    }
    await this.writePage(recorded, document, notes);
  }

  private async writePage(
    recorded: Trace,
    document: JsonDocument | null,
    notes: StatusOutput,
  ): Promise<void> {
    const { report } = this;
    if (report === undefined) return;
    const { reportOfRuns, checked, runData } = await import('../report/html/report.js');
    const result = document === null ? null : checked(report, JSON.parse(JSON.stringify(document)));
    const page = reportOfRuns([runData(report, result, recorded)], document?.svmsim ?? '');
    this.page.write(() => page);
    notes.write(
      `svmsim: report of ${countText(recorded)} in ${report}, ${formatBytes(Buffer.byteLength(page))}\n`,
    );
  }
}

function countText({ events, dropped }: Trace): string {
  const missing = dropped === 0 ? '' : ` (${formatCount(dropped)} more found no room and are missing)`;
  return `${formatCount(events)} events${missing}`;
}
