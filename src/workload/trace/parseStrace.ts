/** Reads the output of strace into the memory calls of every traced thread: one pass over the text, linear in its length. */

import type { MmTrace } from './mmTrace.js';
import { StraceReader } from './straceReader.js';

const CARRIAGE_RETURN = 13;

/**
 * `text` is what `strace` writes, with or without -f, -o, -ttt, -tt, -r, -T, -y, -Y, -X, -n, -i and -k. Throws a TraceError for an empty
 * file, a line that strace does not print, arguments that a memory call cannot have, and a trace without any memory call.
 */
export function parseStrace(text: string, fileName: string): MmTrace {
  const reader = new StraceReader(fileName);
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    reader.readLine(text.slice(start, text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end));
    start = end + 1;
  }
  return reader.finish();
}
