/** Numbers, addresses and results as strace prints them. */

import { TraceError, type TraceLine } from './traceError.js';

const UNSIGNED = /^(?:0x[0-9a-f]+|[0-9]+)$/;
const SIGNED = /^-?[0-9]+/;
/** What follows a returned number: a time, a decoded name, a note in brackets. */
const RETURNED = /^(?:(0x[0-9a-f]+|[0-9]+)|NULL)(?![\w.])/;
const FAILED = /^-1 (?:(E[A-Z0-9]+)|\((errno [0-9]+)\))/;

/** `value` is meaningless where `errno` is not null. */
export interface CallResult {
  readonly value: number;
  readonly errno: string | null;
}

/** An address, length or count; `NULL` is 0. Beyond 2^53 the value is approximate, which only calls that fail ask for. */
export function parseUnsigned(text: string, what: string, where: TraceLine): number {
  if (text === 'NULL') return 0;
  if (!UNSIGNED.test(text)) {
    throw new TraceError(where, `${what} "${text}"`, 'NULL, a decimal number or a hexadecimal number');
  }
  return Number(text);
}

/** A descriptor or exit status; the name that strace may append to it is read over. */
export function parseSigned(text: string, what: string, where: TraceLine): number {
  const match = SIGNED.exec(text);
  if (match === null) throw new TraceError(where, `${what} "${text}"`, 'a decimal number');
  return Number(match[0]);
}

/** What stands right of ` = `; null for `?`, a call whose result nobody has seen. */
export function parseResult(text: string, where: TraceLine): CallResult | null {
  const returned = RETURNED.exec(text);
  if (returned !== null) return { value: Number(returned[1] ?? 0), errno: null };
  const failed = FAILED.exec(text);
  if (failed !== null) return { value: -1, errno: failed[1] ?? failed[2] ?? null };
  if (text.startsWith('?')) return null;
  throw new TraceError(where, `result "${text}"`, 'a number, ? or -1 with the name of an error');
}
