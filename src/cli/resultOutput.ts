/** Where the result of a command goes: a table on standard output, a JSON document in a file, or that document alone on standard output. */

import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from '../base/userError.js';
import { errorDocument, jsonText } from '../report/json.js';
import type { CliHost } from './cliHost.js';
import type { ExitStatus } from './exitStatus.js';

const ALLOWED = 'a file that can be written, or - for standard output';

export class ResultOutput {
  private readonly host: CliHost;
  /** A path, `-`, or undefined for no document. */
  private readonly target: string | undefined;

  /** @throws UserError when the file cannot be written, so that this is known before a long run and not after it. */
  constructor(host: CliHost, target: string | undefined) {
    this.host = host;
    this.target = target;
    if (target !== undefined && target !== '-') checkWritable(target);
  }

  /** Each is made only where it is wanted. */
  publish(table: () => string, document: () => object): void {
    if (this.target === '-') {
      this.host.stdout.write(jsonText(document()));
      return;
    }
    if (this.target !== undefined) writeDocument(this.target, jsonText(document()));
    this.host.stdout.write(table());
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

function checkWritable(path: string): void {
  try {
    const exists = existsSync(path);
    if (exists && statSync(path).isDirectory()) throw refusal(path, 'a directory');
    accessSync(exists ? path : dirname(path), constants.W_OK);
  } catch (error) {
    throw error instanceof UserError ? error : refusal(path, 'a file that cannot be written');
  }
}

function writeDocument(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch {
    throw refusal(path, 'a file that cannot be written');
  }
}

function refusal(path: string, found: string): UserError {
  return new UserError({ where: `--json ${path}`, found, allowed: ALLOWED });
}
