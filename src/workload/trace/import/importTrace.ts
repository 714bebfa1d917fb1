/** Turns a trace of another tool into the text of one that strace might have written, line by line. */

import { PAGE_BYTES, TASK_SIZE_PAGES } from '../../../base/units.js';
import { readFtraceLine } from './ftraceLine.js';
import type { ImportedItem, LineReader } from './importedItem.js';
import { readPerfTraceLine } from './perfTraceLine.js';
import { isMemoryCall, straceLine } from './straceWriter.js';

/** Tools whose output can be read. `ftrace` is also what trace-cmd and perf script print of these events. */
export const traceFormats = ['strace', 'perf-trace', 'ftrace'] as const;
export type TraceFormat = (typeof traceFormats)[number];

export interface ImportedTrace {
  /** As strace -f -ttt writes it. */
  readonly text: string;
  readonly format: TraceFormat;
  /** Page faults, which the replay repeats as accesses. */
  readonly touches: number;
  /** How often each thing stands in the trace that says nothing about memory. */
  readonly ignored: ReadonlyMap<string, number>;
  /** Processes and threads that say anything in the recording, in the order of their first line. */
  readonly pids: readonly number[];
}

const readers: Readonly<Record<Exclude<TraceFormat, 'strace'>, LineReader>> = {
  'perf-trace': readPerfTraceLine,
  ftrace: readFtraceLine,
};

const ADDRESS_END = TASK_SIZE_PAGES * PAGE_BYTES;
const SAMPLE_LINES = 50;
const PERF_TRACE = /^ *(?:\?|[0-9]+\.[0-9]+) (?:\( *(?:[0-9]+\.[0-9]+ ms)? *\):|\S+\/[0-9]+ )/;
const FTRACE = /^# tracer:|^ *\S.*[- ][0-9]+ +(?:\([ 0-9-]+\) +)?\[[0-9]+\] .*[0-9]+\.[0-9]+: /;

/** By its first lines; null for one that none of the tools has written. */
export function formatOf(text: string): TraceFormat {
  const sample = text.split('\n', SAMPLE_LINES);
  if (sample.some((line) => FTRACE.test(line))) return 'ftrace';
  return sample.some((line) => PERF_TRACE.test(line)) ? 'perf-trace' : 'strace';
}

/**
 * `pid`: only what this process and its threads do, in another format than strace's; without it the trace's first process. @throws TraceError that
 * names the line.
 */
export function importTrace(
  text: string,
  fileName: string,
  format: TraceFormat,
  pid: number | null,
): ImportedTrace {
  if (format === 'strace') return { text, format, touches: 0, ignored: new Map(), pids: [] };
  const conversion = new Conversion(pid);
  text.split('\n').forEach((line, i) => {
    const where = { fileName, line: i + 1 };
    if (line.trim() !== '') conversion.add(readers[format](line.replace(/\r$/, ''), where));
  });
  return { ...conversion.finish(), format };
}

/** Lines of one call. */
type Spoken = Exclude<ImportedItem, { kind: 'other' | 'touch' }>;

class Conversion {
  private readonly items: ImportedItem[] = [];
  private readonly ignored = new Map<string, number>();
  /** Calls under way, by thread. */
  private readonly open = new Map<number, Spoken>();
  private readonly childOf = new Map<ImportedItem, number>();
  /** Of the wanted process; null where all are wanted. */
  private readonly family: Set<number> | null;
  private readonly execed = new Set<number>();
  private readonly pids = new Set<number>();
  private touches = 0;

  constructor(pid: number | null) {
    this.family = pid === null ? null : new Set([pid]);
  }

  add(item: ImportedItem): void {
    if (item.kind !== 'other') this.pids.add(item.pid);
    const left = this.reasonToLeaveOut(item);
    if (left !== null) this.ignored.set(left, (this.ignored.get(left) ?? 0) + 1);
    else this.items.push(item);
    if (left === null && item.kind === 'touch') this.touches++;
  }

  private reasonToLeaveOut(item: ImportedItem): string | null {
    if (item.kind === 'other') return item.what;
    if (this.family !== null && !this.family.has(item.pid)) return 'lines of other processes';
    if (item.kind === 'touch') return item.address < ADDRESS_END ? null : 'faults on kernel addresses';
    if (!isMemoryCall(item.name)) return item.name;
    return this.follows(item) ? null : 'ends of calls that began before';
  }

  finish(): Omit<ImportedTrace, 'format'> {
    const lines = this.items.map((item) => straceLine(item, this.borrows(item)));
    const text = lines.filter((line) => line !== null).join('\n');
    return {
      text: text === '' ? '' : `${text}\n`,
      touches: this.touches,
      ignored: this.ignored,
      pids: [...this.pids],
    };
  }

  /** False for the end of a call whose beginning is not in the trace. */
  private follows(item: Spoken): boolean {
    const { pid, name } = item;
    if (name.startsWith('execve')) this.execed.add(pid);
    const begun = this.open.get(pid);
    if (item.kind === 'begun') this.open.set(pid, item);
    else if (item.kind === 'call') this.admit(item, item.result);
    else if (begun?.name === name) this.admit(begun, item.result);
    else return false;
    if (item.kind === 'ended') this.open.delete(pid);
    return true;
  }

  /** A child of the wanted process is wanted too. */
  private admit(birth: Spoken, result: string): void {
    const child = birth.name.startsWith('clone') ? Number(result.trim().split(' ', 1)[0]) : 0;
    if (!(child > 0)) return;
    this.childOf.set(birth, child);
    this.family?.add(child);
  }

  /** The child of this clone replaces its program. */
  private borrows(item: ImportedItem): boolean {
    return this.execed.has(this.childOf.get(item) ?? 0);
  }
}
