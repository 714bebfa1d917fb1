/** Turns what other tools have recorded into files that scenarios use, and says what is in them. */

import { PAGE_BYTES } from '../base/units.js';
import { UserError } from '../base/userError.js';
import { formatAccesses, parseAccesses } from '../workload/access/accessTrace.js';
import {
  formatOf,
  importTrace,
  type TraceFormat,
  traceFormats,
} from '../workload/trace/import/importTrace.js';
import { type MmTrace, mainProgram } from '../workload/trace/mmTrace.js';
import { parseStrace } from '../workload/trace/parseStrace.js';
import { TraceError } from '../workload/trace/traceError.js';
import { traceFootprint } from '../workload/trace/traceFootprint.js';
import { TRACE_BYTES_MAX } from './loadTrace.js';
import { formatRoundedSize } from './quantities.js';
import { readTextFile } from './readTextFile.js';

export const recordingFormats = [...traceFormats, 'csv'] as const;
export type RecordingFormat = (typeof recordingFormats)[number];

/** A file that a workload of this kind can name. */
export interface ImportedRecording {
  readonly text: string;
  readonly kind: 'trace' | 'accesses';
  readonly format: RecordingFormat;
  /** One line: what is in it. */
  readonly summary: string;
}

export interface ImportOptions {
  /** By the first lines unless told. */
  readonly format?: RecordingFormat;
  /** Only this process and its threads. */
  readonly pid?: number;
}

/** A trace buffer has those of the whole machine. */
const PIDS_SHOWN = 20;
const WHAT =
  'a recording: the output of strace, perf trace or ftrace, or a table time,device,address,size,kind';
const CSV_HEADER = /^(?:#.*\n|\s*\n)*\s*(?:time|device|address|size|kind)\s*,/i;

/** @throws UserError that names file and line, what is there, and what may be there. */
export function importRecording(path: string, options: ImportOptions = {}): ImportedRecording {
  const text = readTextFile(path, WHAT, TRACE_BYTES_MAX);
  const format = options.format ?? (CSV_HEADER.test(text) ? 'csv' : formatOf(text));
  try {
    if (format !== 'csv') return importCalls(text, path, format, options.pid ?? null);
    if (options.pid !== undefined)
      throw wrongPid(
        options.pid,
        'a table of accesses, which has no processes',
        'a recording of memory calls with it',
      );
    return importCsv(text, path);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    const { fileName, line, found, allowed } = error;
    throw new UserError({ where: fileName, line, found, allowed });
  }
}

function importCsv(text: string, path: string): ImportedRecording {
  const trace = parseAccesses(text, path);
  const devices = new Set(trace.devices).size;
  const stores = trace.stores.reduce((sum, one) => sum + one, 0);
  const pages = new Set(trace.pages).size;
  const summary = `${trace.pages.length} accesses of ${devices} devices (the CPU counts as one) to ${pages} pages, ${stores} of them stores`;
  return { text: formatAccesses(trace), kind: 'accesses', format: 'csv', summary };
}

function importCalls(text: string, path: string, format: TraceFormat, pid: number | null): ImportedRecording {
  const imported = importTrace(text, path, format, pid);
  if (format === 'strace' && pid !== null) refuseChoice(pid, parseStrace(text, path));
  if (imported.text === '') {
    const { pids } = imported;
    if (pid !== null && !pids.includes(pid)) throw wrongPid(pid, `no such process in ${path}`, listOf(pids));
    const found = pid === null ? 'no memory call' : `no memory call of process ${pid}`;
    throw new TraceError({ fileName: path, line: 1 }, found, WHAT);
  }
  const trace = parseStrace(imported.text, path);
  const left = [...imported.ignored].map(([what, count]) => `${count} ${what}`);
  const ignored = left.length === 0 ? '' : `; left out: ${left.join(', ')}`;
  return { text: imported.text, kind: 'trace', format, summary: `${describeTrace(trace)}${ignored}` };
}

/** What is replayed of strace's output is its first process, whatever else is in it. @throws UserError for another one */
function refuseChoice(pid: number, { pids, fileName }: MmTrace): void {
  if (!pids.includes(pid)) throw wrongPid(pid, `no such process in ${fileName}`, listOf(pids));
  if (pid === pids[0]) return;
  const found = `a recording of strace, of which process ${pids[0]} is replayed`;
  throw wrongPid(pid, found, 'output of perf trace or ftrace with it');
}

function wrongPid(pid: number, found: string, allowed: string): UserError {
  return new UserError({ where: `--pid ${pid}`, found, allowed });
}

function listOf(pids: readonly number[]): string {
  const more = pids.length - PIDS_SHOWN;
  const shown = pids.slice(0, PIDS_SHOWN).join(', ');
  return `a process of the recording: ${shown}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Of a trace that svmsim has just recorded. @throws UserError */
export function describeRecording(path: string): string {
  return importRecording(path, { format: 'strace' }).summary;
}

function describeTrace(trace: MmTrace): string {
  const program = mainProgram(trace);
  const { peakPages, calls, failedCalls } = traceFootprint(program);
  const { touch, ...others } = calls;
  const count = Object.values(others).reduce((sum, one) => sum + one, 0);
  const threads = program.pids.length === 1 ? '1 thread' : `${program.pids.length} threads`;
  const failed = failedCalls === 0 ? '' : ` (${failedCalls} failed)`;
  const faults = touch === 0 ? '' : `, ${touch} page faults`;
  const elsewhere =
    program.dropped.events === 0
      ? ''
      : `; ${program.dropped.events} calls before its last exec, or of other processes, will not be replayed`;
  const { withoutResult } = program;
  const unknown = withoutResult === 0 ? '' : `; ${withoutResult} without a result will not be replayed`;
  const { backwards } = trace;
  const early =
    backwards === 0
      ? ''
      : `; ${backwards} ${backwards === 1 ? 'time' : 'times'} earlier than on the line above: calls are in the order of lines, so that may be another one than theirs`;
  const most = formatRoundedSize(peakPages * PAGE_BYTES);
  return `process ${program.leader}: ${count} calls of ${threads}${failed}${faults}, ${most} mapped at most${elsewhere}${unknown}${early}`;
}
