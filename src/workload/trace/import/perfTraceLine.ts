/** Reads one line of what `perf trace` prints. */

import { TraceError, type TraceLine } from '../traceError.js';
import { type ImportedItem, namedArguments } from './importedItem.js';

/** `0.197 ( 0.003 ms): ls/25265 `, where time, duration and thread may be missing. */
const HEAD = /^ *(\?|[0-9]+\.[0-9]+) (?:\( *(?:[0-9]+\.[0-9]+ ms)? *\): +)?(?:(?:.{1,16}?)\/([0-9]+) +)?/;
const WHOLE = /^(\w+)\((.*)\) += ?(.*)$/;
const BEGUN = /^(\w+)\((.*)\) +\.\.\.$/;
const CONTINUED = /^\.\.\. \[continued\]: (\w+)\(.*?\) += ?(.*)$/;
const FAULT = /^(?:min|maj)fault \[.*\] => (?:(.*)@)?0x([0-9a-f]+) \((.)(.)\)$/;
const ALLOWED =
  'what perf trace prints: time ( duration ms): name/thread call(argument: value, ...) = result';

export function readPerfTraceLine(line: string, where: TraceLine): ImportedItem {
  const head = HEAD.exec(line);
  if (head === null) return unrelated(line, where);
  const pid = head[2] === undefined ? 0 : Number(head[2]);
  const seconds = head[1] === '?' ? null : Number(head[1]) / 1000;
  const body = line.slice(head[0].length).trim();
  const continued = CONTINUED.exec(body);
  if (continued !== null) return { kind: 'ended', pid, seconds, name: continued[1], result: continued[2] };
  const whole = WHOLE.exec(body);
  if (whole !== null)
    return {
      kind: 'call',
      pid,
      seconds,
      name: whole[1],
      args: namedArguments(whole[2]),
      result: whole[3],
    };
  const begun = BEGUN.exec(body);
  if (begun !== null) return { kind: 'begun', pid, seconds, name: begun[1], args: namedArguments(begun[2]) };
  const fault = FAULT.exec(body);
  if (fault !== null) return readFault(pid, seconds, fault);
  throw new TraceError(where, `"${line}"`, ALLOWED);
}

/** An address within a mapped file is told relative to the file, so nobody knows where it was. It does not say whether the access was a store. */
function readFault(pid: number, seconds: number | null, [, mapping, address]: RegExpExecArray): ImportedItem {
  if (mapping !== undefined) return { kind: 'other', what: 'faults without an address' };
  return { kind: 'touch', pid, seconds, address: Number.parseInt(address, 16), isWrite: false };
}

/** Comments, and what perf says of itself, such as lost events. */
function unrelated(line: string, where: TraceLine): ImportedItem {
  if (/^(?:#|LOST |$)/.test(line.trim())) return { kind: 'other', what: 'remarks' };
  throw new TraceError(where, `"${line}"`, ALLOWED);
}
