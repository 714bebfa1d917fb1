/** Where the result of a command goes: a table on standard output, a JSON document in a file, or that document alone on standard output. */

import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from '../base/userError.js';
import { errorDocument, jsonText } from '../report/json.js';
import type { CliHost } from './cliHost.js';
import type { ExitStatus } from './exitStatus.js';

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
    if (target !== undefined && target !== '-') checkWritable('--json', target, ALLOWED);
  }

  /** Each is made only where it is wanted. */
  publish(table: () => string, document: () => object): void {
    if (this.target === '-') {
      this.host.stdout.write(jsonText(document()));
      return;
    }
    if (this.target !== undefined) writeText('--json', this.target, jsonText(document()), ALLOWED);
    this.host.stdout.write(table());
  }
}

/** A file that an option names, if it does. */
export class FileOutput {
  /** @throws UserError when the file cannot be written. */
  constructor(
    private readonly option: string,
    private readonly path: string | undefined,
  ) {
    if (path === '-') throw refusal(option, path, 'standard output', ALLOWED_FILE);
    if (path !== undefined) checkWritable(option, path, ALLOWED_FILE);
  }

  /** The text is made only where it is wanted. @throws UserError */
  write(text: () => string): void {
    if (this.path !== undefined) writeText(this.option, this.path, text(), ALLOWED_FILE);
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

function checkWritable(option: string, path: string, allowed: string): void {
  try {
    const exists = existsSync(path);
    if (exists && statSync(path).isDirectory()) throw refusal(option, path, 'a directory', allowed);
    accessSync(exists ? path : dirname(path), constants.W_OK);
  } catch (error) {
    throw error instanceof UserError
      ? error
      : refusal(option, path, 'a file that cannot be written', allowed);
  }
}

function writeText(option: string, path: string, text: string, allowed: string): void {
  try {
    writeFileSync(path, text);
  } catch {
    throw refusal(option, path, 'a file that cannot be written', allowed);
  }
}

function refusal(option: string, path: string, found: string, allowed: string): UserError {
  return new UserError({ where: `${option} ${path}`, found, allowed });
}
