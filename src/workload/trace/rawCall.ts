/** One finished system call as text, and what every decoder does with it. */

import type { CallResult } from './straceValue.js';
import { TraceError, type TraceLine } from './traceError.js';

export interface RawCall {
  readonly name: string;
  /** Everything between the brackets, the part after `resumed>` included. */
  readonly args: string;
  readonly result: CallResult;
  readonly where: TraceLine;
}

export function succeeded(raw: RawCall): boolean {
  return raw.result.errno === null;
}

/** The arguments in order; `signature` is what a message shows for a call with fewer than `least` or more than `most`. */
export function splitArgs(raw: RawCall, signature: string, least: number, most: number): readonly string[] {
  const parts = withoutComments(raw.args).split(', ');
  if (parts.length < least || parts.length > most) {
    throw new TraceError(raw.where, `${raw.name}(${raw.args})`, `${raw.name}(${signature})`);
  }
  return parts;
}

/** strace explains numbers in comments: `0x3` followed by the symbols, or `MADV_???` where it has none. */
export function withoutComments(args: string): string {
  return args.includes('/*') ? args.replace(/\s*\/\*.*?\*\//g, '') : args;
}
