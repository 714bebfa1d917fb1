/** Reads the recorded program that a scenario names. */

import { UserError } from '../base/userError.js';
import type { MmTrace } from '../workload/trace/mmTrace.js';
import { parseStrace } from '../workload/trace/parseStrace.js';
import { TraceError } from '../workload/trace/traceError.js';
import { type FileReference, readTextFile } from './readTextFile.js';

const TRACE_BYTES_MAX = 2 ** 26;

/** @throws UserError that names the line of the trace, or that of the scenario where there is no such file. */
export function loadTrace(path: string, namedBy: FileReference): MmTrace {
  const text = readTextFile(
    path,
    'a recorded program: the output of strace -f -ttt',
    TRACE_BYTES_MAX,
    namedBy,
  );
  try {
    return parseStrace(text, path);
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
    throw malformed(error, namedBy);
  }
}

function malformed({ fileName, line, found, allowed }: TraceError, namedBy: FileReference): UserError {
  const { where, line: namedAt, key } = namedBy;
  const hint = `named by ${namedAt === undefined ? where : `${where}:${namedAt}`}`;
  return new UserError({ where: fileName, line, key, found, allowed, hint });
}
