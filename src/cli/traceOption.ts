/** `--trace FILE`: records a run and writes it in the format that the name of the file asks for. */

import type { Command } from 'commander';
import type { Trace } from '../observe/trace/trace.js';
import type { StatusOutput } from '../report/statusLine.js';
import { checkTraceName, traceEndings, writeTrace } from '../report/trace/traceFormat.js';
import { formatCount } from '../report/units.js';
import { FileOutput } from './resultOutput.js';

const OPTION = '--trace';

export interface TraceOptions {
  readonly trace?: string;
}

export function addTraceOption(command: Command): Command {
  return command.option(`${OPTION} <file>`, `records the run; the ending says how: ${traceEndings}`);
}

export class TraceOutput {
  private readonly path: string | undefined;

  /** @throws UserError for a name or a place that will not do, before the run rather than after it. */
  constructor({ trace }: TraceOptions) {
    this.path = trace;
    if (trace === undefined) return;
    checkTraceName(OPTION, trace);
    new FileOutput(OPTION, trace);
  }

  get isWanted(): boolean {
    return this.path !== undefined;
  }

  /** Says how much it was, and what is missing from it. */
  write(trace: Trace, notes: StatusOutput): void {
    if (this.path === undefined) return;
    writeTrace(OPTION, this.path, trace);
    const dropped =
      trace.dropped === 0 ? '' : `; ${formatCount(trace.dropped)} more found no room and are missing`;
    notes.write(`svmsim: ${formatCount(trace.events)} events in ${this.path}${dropped}\n`);
  }
}
