/** Takes one line of strace output apart: who, when, and which of the things that strace prints it is. */

import { TraceError, type TraceLine } from './traceError.js';

/**
 * `call`: a whole call. `begun`: a call without its end. `resumed`: the end of a call that began on an earlier line, itself perhaps cut
 * again. `ended`: a thread is gone. `superseded`: a thread's exec took over its leader's id. `other`: nothing that concerns memory.
 */
export type StraceItem =
  | { readonly kind: 'call'; readonly name: string; readonly rest: string }
  | {
      readonly kind: 'begun';
      readonly name: string;
      readonly rest: string;
      /** The id under which the call ends, where it is another: a thread's exec. */
      readonly endsAs: number | null;
    }
  | { readonly kind: 'resumed'; readonly name: string; readonly rest: string; readonly cut: boolean }
  | { readonly kind: 'ended'; readonly status: number | null; readonly signal: string | null }
  | { readonly kind: 'superseded'; readonly byPid: number }
  | { readonly kind: 'other' };

export interface StraceLine {
  /** Null where the line names no process. */
  readonly pid: number | null;
  /** As printed; '' where the line has none. */
  readonly stamp: string;
  readonly item: StraceItem;
}

/**
 * In this order, each optional: the process (a column with `-o`, in brackets without; `-Y` adds its command), the time, the relative time
 * beside it (`-r -ttt`), the number of the call (`-n`), the instruction pointer (`-i`). A process id has at most 7 digits (pid_max is 2^22),
 * so a longer number is a time in whole seconds.
 */
const LEADER = new RegExp(
  [
    '^ *(?:([0-9]{1,7})(?:<[^>]*>)? +|\\[pid +([0-9]+)(?:<[^>]*>)?\\] )?',
    ' *((?:[0-9]+:[0-9]{2}:[0-9]{2}(?:\\.[0-9]+)?|[0-9]+\\.[0-9]+|[0-9]{8,})(?= ))? *',
    '(?:\\(\\+ *[0-9.]+\\) +)?',
    '(?:\\[ *[0-9]+\\] )?',
    '(?:\\[[0-9a-f?]{8,}\\] )?',
  ].join(''),
);

const CALL = /^([A-Za-z_?][\w?]*)\(/;
/** Old versions print a blank before the bracket that closes the call. */
const RESUMED = /^<\.\.\. ([\w?]+) resumed>(?: (?=\)))?/;
const CUT = / ?<(?:unfinished|detached|pid changed to ([0-9]+)) \.\.\.>$/;
const EXITED = /^\+\+\+ exited with ([0-9]+) \+\+\+$/;
const KILLED = /^\+\+\+ killed by (\w+)(?: \(core dumped\))? \+\+\+$/;
const SUPERSEDED = /^\+\+\+ superseded by execve in pid ([0-9]+) \+\+\+$/;
/** Signals and stops, stack frames of `-k`, dumps of `-e read`, strace's own messages, the end of a trace that was cut off. */
const OTHER = /^(?:$|--- .* ---$|> |\| |strace: |\[ Process PID=|<detached \.\.\.>)/;

const OTHER_ITEM: StraceItem = { kind: 'other' };

/** Throws a TraceError for a line that strace does not print. */
export function readStraceLine(text: string, where: TraceLine): StraceLine {
  const leader = LEADER.exec(text);
  const pid = leader?.[1] ?? leader?.[2];
  return {
    pid: pid === undefined ? null : Number(pid),
    stamp: leader?.[3] ?? '',
    item: readItem(text.slice(leader?.[0].length ?? 0), text, where),
  };
}

function readItem(body: string, text: string, where: TraceLine): StraceItem {
  const call = CALL.exec(body);
  if (call !== null) return readCall(call[1] ?? '', body, text, where);
  if (body.startsWith('<... ')) return readResumed(body, text, where);
  if (body.startsWith('+++ ')) return readEnd(body, text, where);
  if (OTHER.test(body)) return OTHER_ITEM;
  throw notStrace(text, where);
}

function readCall(name: string, body: string, text: string, where: TraceLine): StraceItem {
  const rest = body.slice(name.length + 1);
  const cut = findCut(rest);
  if (cut !== null) {
    const endsAs = cut[1] === undefined ? null : Number(cut[1]);
    return { kind: 'begun', name, rest: rest.slice(0, cut.index), endsAs };
  }
  if (!rest.includes(' = ')) throw notStrace(text, where);
  return { kind: 'call', name, rest };
}

function readResumed(body: string, text: string, where: TraceLine): StraceItem {
  const match = RESUMED.exec(body);
  if (match === null) throw notStrace(text, where);
  const rest = body.slice(match[0].length);
  const cut = findCut(rest);
  if (cut === null && !rest.includes(' = ')) throw notStrace(text, where);
  return { kind: 'resumed', name: match[1] ?? '', rest: rest.slice(0, cut?.index), cut: cut !== null };
}

function readEnd(body: string, text: string, where: TraceLine): StraceItem {
  const exited = EXITED.exec(body);
  if (exited !== null) return { kind: 'ended', status: Number(exited[1]), signal: null };
  const killed = KILLED.exec(body);
  if (killed !== null) return { kind: 'ended', status: null, signal: killed[1] ?? '' };
  const superseded = SUPERSEDED.exec(body);
  if (superseded !== null) return { kind: 'superseded', byPid: Number(superseded[1]) };
  throw notStrace(text, where);
}

/** Where `<unfinished ...>` or its like ends the text; null for text that does not end in one. */
function findCut(rest: string): RegExpExecArray | null {
  return rest.endsWith(' ...>') ? CUT.exec(rest) : null;
}

function notStrace(text: string, where: TraceLine): TraceError {
  return new TraceError(
    where,
    `"${text}"`,
    'what strace prints: name(arguments) = result, name(arguments <unfinished ...>, <... name resumed>, --- signal --- or +++ exit +++',
  );
}
