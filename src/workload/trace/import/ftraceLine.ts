/** Reads one line of the kernel's trace buffer, as ftrace, `trace-cmd report` or `perf script` print it. */

import { TraceError, type TraceLine } from '../traceError.js';
import { type ImportedItem, namedArguments } from './importedItem.js';

/** `bash-930  [003] d...  6288.896762: ` of ftrace, `true  5523 [000] 35641.884007: ` of perf script; flags and thread group are optional. */
const HEAD =
  /^ *(?:\S.*?)(?:-| +)([0-9]+) +(?:\( *[0-9-]+\) +)?(?:\[[0-9]+\] +)?(?:[^ :]+ +)?([0-9]+\.[0-9]+): +(?:[0-9]+ +)?/;
const ENTER = /^(?:syscalls:)?sys_(?:enter_)?(\w+?)(?:\((.*)\)|: +(.*))$/;
const EXIT = /^(?:syscalls:)?sys_(?:exit_(\w+): +|(\w+) -> )(0x[0-9a-f]+|-?[0-9]+)$/;
const FAULT = /^(?:exceptions:)?page_fault_user: +address=(\S+) ip=\S+ error_code=(0x[0-9a-f]+)/;
/** Bit of an x86 page fault's error code. */
const ERROR_WRITE = 2;
/** Stack frames, headers, lost events. */
const UNRELATED = /^(?:#|CPU:|cpus=|version = |\s+[0-9a-f]+ |\t|\s*=>|\s*$)/;
const ALLOWED =
  'a line of a trace buffer: name-thread [cpu] time: event, with events sys_mmap(...), sys_mmap -> ..., sys_enter_mmap: ..., sys_exit_mmap: ... or page_fault_user: ...';

export function readFtraceLine(line: string, where: TraceLine): ImportedItem {
  const head = HEAD.exec(line);
  if (head === null) {
    if (UNRELATED.test(line) || line.includes(' LOST ')) return { kind: 'other', what: 'remarks' };
    throw new TraceError(where, `"${line}"`, ALLOWED);
  }
  const pid = Number(head[1]);
  const seconds = Number(head[2]);
  const body = line.slice(head[0].length).trim();
  const exit = EXIT.exec(body);
  if (exit !== null) return { kind: 'ended', pid, seconds, name: exit[1] ?? exit[2], result: exit[3] };
  const enter = ENTER.exec(body);
  if (enter !== null)
    return { kind: 'begun', pid, seconds, name: enter[1], args: hexArguments(enter[2] ?? enter[3]) };
  const fault = FAULT.exec(body);
  if (fault === null) return { kind: 'other', what: body.split(/[ :(]/, 1)[0] };
  const address = Number(hex(fault[1]));
  return { kind: 'touch', pid, seconds, address, isWrite: (Number(fault[2]) & ERROR_WRITE) !== 0 };
}

/** All numbers of the buffer are hexadecimal, with or without the mark. */
function hexArguments(text: string): ReadonlyMap<string, string> {
  return new Map([...namedArguments(text)].map(([name, value]) => [name, hex(value)]));
}

function hex(value: string): string {
  return /^[0-9a-f]+$/.test(value) ? `0x${value}` : value;
}
