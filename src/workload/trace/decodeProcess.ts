/** Decodes the calls that begin and end processes and threads: fork, vfork, clone, exec and exit. */

import type { MmCall } from './mmCall.js';
import { type RawCall, succeeded, withoutComments } from './rawCall.js';
import { parseCloneFlags } from './straceFlags.js';
import { parseSigned } from './straceValue.js';
import { TraceError } from './traceError.js';

export function decodeFork(raw: RawCall): MmCall {
  return { kind: 'fork', child: childOf(raw) };
}

export function decodeVfork(raw: RawCall): MmCall {
  return { kind: 'vfork', child: childOf(raw) };
}

export function decodeClone(raw: RawCall): MmCall {
  const child = childOf(raw);
  const { vm, vfork } = cloneFlagsOf(raw);
  if (!vm) return { kind: 'fork', child };
  return vfork ? { kind: 'vfork', child } : { kind: 'thread', child };
}

/** `flags=` of clone and of clone3's struct; the first argument where clone is printed raw. */
function cloneFlagsOf(raw: RawCall): { vm: boolean; vfork: boolean } {
  const args = withoutComments(raw.args);
  const text = /\bflags=([^,})]*)/.exec(args)?.[1] ?? (raw.name === 'clone' ? args.split(',')[0] : undefined);
  if (text !== undefined) return parseCloneFlags(text.trim(), raw.where);
  if (succeeded(raw)) throw new TraceError(raw.where, `${raw.name}(${args})`, `${raw.name} with flags=...`);
  return { vm: false, vfork: false };
}

export function decodeExec(raw: RawCall): MmCall {
  const path = /"((?:[^"\\]|\\.)*)"/.exec(raw.args)?.[1];
  if (path === undefined && succeeded(raw)) {
    throw new TraceError(
      raw.where,
      `${raw.name}(${raw.args})`,
      `${raw.name} with the program's path in double quotes`,
    );
  }
  return { kind: 'exec', path: path ?? '' };
}

export function decodeExit(raw: RawCall): MmCall {
  return {
    kind: 'exit',
    wholeProcess: raw.name === 'exit_group',
    status: parseSigned(raw.args, `${raw.name} status`, raw.where),
    signal: null,
  };
}

function childOf(raw: RawCall): number | null {
  return succeeded(raw) ? raw.result.value : null;
}
