/** Reads what `svmsim report` is given: a trace file, the JSON document of a run, or a failure of `explore`. */

import { basename } from 'node:path';
import { readBytesFile } from '../../base/readBytesFile.js';
import { UserError } from '../../base/userError.js';
import { MAGIC } from '../../explore/failureFile.js';
import type { Trace } from '../../observe/trace/trace.js';
import { clockOf } from '../clock.js';
import { isTraceFile, readTraceFile } from '../trace/traceFile.js';
import type { RunData } from './reportData.js';
import { type RunDocument, runDocumentSchema } from './runDocument.js';
import { summaryData } from './summaryData.js';
import { traceData } from './traceData.js';

const ALLOWED =
  'a trace (run --trace FILE.svmtrace), the JSON document of one run or stress (--json FILE), or a failure file of explore';

/** Larger ones are no documents of a run, and would take long to refuse. */
const JSON_BYTES_MAX = 256 * 2 ** 20;
const FILE_BYTES_MAX = 2 ** 31 - 1;

/** What a file turned out to be. */
export type ReportSource =
  | { readonly kind: 'run'; readonly run: RunData }
  | { readonly kind: 'failure'; readonly bytes: Uint8Array };

/** @throws UserError for anything else. */
export function readSource(path: string): ReportSource {
  const bytes = readBytes(path);
  if (isTraceFile(bytes)) {
    const { trace, document } = readTraceFile(path, bytes);
    return { kind: 'run', run: runData(path, document === null ? null : checked(path, document), trace) };
  }
  if (bytes.subarray(0, MAGIC.length).toString('latin1') === MAGIC) return { kind: 'failure', bytes };
  return { kind: 'run', run: runData(path, checked(path, parse(path, bytes)), null) };
}

/** Of a document, a trace, or both, of the same run. */
export function runData(path: string, document: RunDocument | null, trace: Trace | null): RunData {
  const head = document ?? trace;
  if (head === null) throw new Error('a report of nothing');
  return {
    source: basename(path),
    scenario: head.scenario,
    executor: head.executor,
    seed: head.seed,
    clock: clockOf(head.executor),
    summary: document === null ? null : summaryData(document),
    trace: trace === null ? null : traceData(trace),
  };
}

/** @throws UserError for what is no document of a run. */
export function checked(path: string, content: unknown): RunDocument {
  const parsed = runDocumentSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw refusal(path, whatIsWrong(content, parsed.error.issues[0]));
}

function whatIsWrong(content: unknown, issue: { path: PropertyKey[]; message: string } | undefined): string {
  const { command } =
    typeof content === 'object' && content !== null ? { command: undefined, ...content } : {};
  if (typeof command === 'string' && command !== 'run' && command !== 'stress')
    return `a document of svmsim ${command}`;
  if (command === undefined) return 'JSON that is no document of svmsim';
  if (typeof content === 'object' && content !== null && 'seeds' in content) return 'a sweep over seeds';
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  return `a document of svmsim that is damaged${where}: ${issue?.message ?? 'unreadable'}`;
}

function parse(path: string, bytes: Buffer): unknown {
  if (bytes.length === 0) throw refusal(path, 'an empty file');
  if (bytes.length > JSON_BYTES_MAX) throw refusal(path, `${bytes.length} bytes of something else`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw refusal(
      path,
      error instanceof SyntaxError
        ? `JSON that breaks off or is none: ${error.message}`
        : 'bytes of something else',
    );
  }
}

function readBytes(path: string): Buffer {
  return readBytesFile(path, FILE_BYTES_MAX, (found) => refusal(path, found));
}

function refusal(where: string, found: string): UserError {
  return new UserError({ where, found, allowed: ALLOWED });
}
