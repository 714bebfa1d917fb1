/** Reads the recorded program, or the recorded accesses, that a scenario names. */

import { UserError } from '../base/userError.js';
import { type AccessTrace, parseAccesses } from '../workload/access/accessTrace.js';
import type { MmTrace } from '../workload/trace/mmTrace.js';
import { parseStrace } from '../workload/trace/parseStrace.js';
import { TraceError } from '../workload/trace/traceError.js';
import type { FileReference } from './readTextFile.js';
import type { ScenarioFiles } from './scenarioFiles.js';

/** Of a recording, whoever reads it. */
export const TRACE_BYTES_MAX = 2 ** 26;

/** @throws UserError that names the line of the trace, or that of the scenario where there is no such file. */
export function loadTrace(path: string, namedBy: FileReference, files: ScenarioFiles): MmTrace {
  const what = 'a recorded program: the output of strace -f -ttt';
  const text = files.text(path, what, TRACE_BYTES_MAX, namedBy);
  return reading(namedBy, () => parseStrace(text, path));
}

/** @throws UserError also for an access of a device that the scenario does not have. */
export function loadAccesses(
  path: string,
  namedBy: FileReference,
  deviceCount: number,
  files: ScenarioFiles,
): AccessTrace {
  const what = 'a table of accesses: lines time,device,address,size,kind';
  const text = files.text(path, what, TRACE_BYTES_MAX, namedBy);
  const trace = reading(namedBy, () => parseAccesses(text, path));
  const highest = trace.devices.reduce((most, device) => Math.max(most, device), -1);
  if (highest < deviceCount) return trace;
  const { where, line } = namedBy;
  const found = `${path}, which has accesses of gpu${highest}`;
  const allowed = `accesses of the devices of the scenario: ${deviceCount === 1 ? 'gpu0' : `gpu0 to gpu${deviceCount - 1}`}, and of the CPU`;
  throw new UserError({
    ...(line === undefined ? { where } : { where, line }),
    key: namedBy.key,
    found,
    allowed,
  });
}

function reading<T>(namedBy: FileReference, parse: () => T): T {
  try {
    return parse();
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
