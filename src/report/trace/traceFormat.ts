/** The formats of a trace file, by the ending of its name. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { writeTrouble } from '../../base/fileTrouble.js';
import { UserError } from '../../base/userError.js';
import type { Trace } from '../../observe/trace/trace.js';
import { writeChromeTrace } from './chromeTrace.js';
import { writePerfetto } from './perfetto.js';
import { writeTraceFile } from './traceFile.js';

/** A piece of a file. */
export type TextOrBytes = string | Uint8Array;

type Writer = (trace: Trace, write: (piece: TextOrBytes) => void, document: object | null) => void;

/** The longest ending that fits counts. */
const formats: readonly { readonly ending: string; readonly what: string; readonly write: Writer }[] = [
  { ending: '.svmtrace', what: "svmsim's own", write: writeTraceFile },
  { ending: '.pftrace', what: 'Perfetto', write: writePerfetto },
  { ending: '.perfetto-trace', what: 'Perfetto', write: writePerfetto },
  { ending: '.json', what: 'Chrome JSON', write: writeChromeTrace },
];

export const traceEndings: string = formats.map(({ ending, what }) => `${ending} (${what})`).join(', ');

/** @throws UserError for a name that says no format. */
export function checkTraceName(option: string, path: string): void {
  formatOf(option, path);
}

/**
 * svmsim's own format keeps the JSON document of the run's result with it.
 *
 * @throws UserError for a file that cannot be written.
 */
export function writeTrace(option: string, path: string, trace: Trace, document: object | null = null): void {
  const { write } = formatOf(option, path);
  const file = open(option, path);
  try {
    const put = (piece: TextOrBytes): void => {
      writeAll(file, typeof piece === 'string' ? Buffer.from(piece) : piece);
    };
    write(trace, put, document);
  } catch (error) {
    throw isOfFile(error) ? refusal(option, path, error) : error;
  } finally {
    closeSync(file);
  }
}

function formatOf(option: string, path: string): (typeof formats)[number] {
  const format = formats.find(({ ending }) => path.endsWith(ending));
  if (format !== undefined) return format;
  throw new UserError({
    where: `${option} ${path}`,
    found: path,
    allowed: `a file name that ends in ${traceEndings}`,
  });
}

function open(option: string, path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    throw refusal(option, path, error);
  }
}

function isOfFile(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

function refusal(option: string, path: string, error: unknown): UserError {
  const found = writeTrouble(error, path);
  return new UserError({ where: `${option} ${path}`, found, allowed: 'a file that can be written' });
}

function writeAll(file: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(file, bytes, at);
}
