/** Where the result of a command goes: a table on standard output, a JSON document in a file, or that document alone on standard output. */

import { closeSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { writeTrouble } from '../base/fileTrouble.js';
import { UserError } from '../base/userError.js';
import { errorDocument, jsonText } from '../report/json.js';
import type { CliHost } from './cliHost.js';
import type { ExitStatus } from './exitStatus.js';
import { jsonResults, otherContent, type Replaceable } from './outputFiles.js';

const ALLOWED = 'a file that can be written, or - for standard output';
const ALLOWED_FILE = 'a file that can be written; standard output is for lines or JSON';

export class ResultOutput {
  private readonly host: CliHost;
  /** A path, `-`, or undefined for no document. */
  private readonly target: string | undefined;

  /** @throws UserError when the file cannot be written, so that this is known before a long run and not after it. */
  constructor(host: CliHost, target: string | undefined) {
    this.host = host;
    this.target = target;
    if (target !== undefined && target !== '-') checkWritable('--json', target, ALLOWED, jsonResults);
  }

  /** Each is made only where it is wanted. The table comes first: it is there although the disk is full. */
  publish(table: () => string, document: () => object): void {
    if (this.target === '-') {
      this.host.stdout.write(jsonText(document()));
      return;
    }
    this.host.stdout.write(table());
    if (this.target !== undefined) writeTo('--json', this.target, jsonText(document()), ALLOWED);
  }
}

/** A file that an option names, if it does. */
export class FileOutput {
  /**
   * `option` is null for a file that stands by itself; `replaces` is what may be there already, anything unless told.
   *
   * @throws UserError when the file cannot be written.
   */
  constructor(
    private readonly option: string | null,
    private readonly path: string | undefined,
    replaces?: Replaceable,
  ) {
    if (path === '-') throw refusal(option, path, 'standard output', ALLOWED_FILE);
    if (path !== undefined) checkWritable(option, path, ALLOWED_FILE, replaces);
  }

  /** What is written is made only where it is wanted. @throws UserError */
  write(content: () => string | Uint8Array): void {
    if (this.path !== undefined) writeTo(this.option, this.path, content(), ALLOWED_FILE);
  }
}

/** Runs a command; when it fails and standard output is for a document, writes one that says so. */
export async function withErrorDocument(
  host: CliHost,
  command: string,
  target: string | undefined,
  work: () => Promise<ExitStatus>,
): Promise<ExitStatus> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (target === '-') host.stdout.write(jsonText(errorDocument(command, message, host.environment())));
    throw error;
  }
}

/** Only opening a file says whether it can be written; what was not there before is not there afterwards. */
function checkWritable(option: string | null, path: string, allowed: string, replaces?: Replaceable): void {
  if (path === '') throw refusal(option, path, 'nothing', allowed);
  let wanted: string | null = null;
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    // Opening a pipe waits for a reader, and may be its end.
    if (stat !== undefined && !stat.isFile() && !stat.isDirectory()) return;
    closeSync(openSync(path, 'a'));
    if (stat === undefined) rmSync(path);
    else if (replaces !== undefined) wanted = otherContent(path, replaces);
  } catch (error) {
    throw refusal(option, path, writeTrouble(error, path), allowed);
  }
  if (wanted !== null) throw refusal(option, path, 'a file with something else', wanted);
}

function writeTo(option: string | null, path: string, content: string | Uint8Array, allowed: string): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw refusal(option, path, writeTrouble(error, path), allowed);
  }
}

function refusal(option: string | null, path: string, found: string, allowed: string): UserError {
  const where = option === null ? path : `${option}${path === '' ? '' : ` ${path}`}`;
  return new UserError({ where, found, allowed });
}
