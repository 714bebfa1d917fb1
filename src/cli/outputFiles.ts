/** Which files a command may write: none that it reads, none twice, and none that holds something else. */

import { closeSync, existsSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { UserError } from '../base/userError.js';

/** Options that name files, of all commands. */
export interface FileOptions {
  readonly json?: string;
  readonly trace?: string;
  readonly report?: string;
  readonly junit?: string;
  readonly output?: string;
  readonly policy?: string;
  readonly preset?: string;
  readonly scenario?: string;
  readonly baseline?: string;
}

/** What an output may take the place of. */
export interface Replaceable {
  readonly what: string;
  /** By the first bytes, as Latin-1. */
  isOne(head: string): boolean;
}

const HEAD_BYTES = 64;

export const jsonResults: Replaceable = {
  what: 'a result of an earlier run',
  isOne: (head) => /^\{\s*"svmsim":/.test(head),
};
export const junitResults: Replaceable = {
  what: 'JUnit results of an earlier run',
  isOne: (head) => head.startsWith('<?xml'),
};
export const reportPages: Replaceable = {
  what: 'an earlier report',
  isOne: (head) => /^<!doctype html>/i.test(head),
};
export const recordings: Replaceable = {
  what: 'an earlier recording',
  isOne: (head) => /^\d+ +\d+\.\d+ /.test(head),
};

/** `read`: files and folders that the command reads besides those of its options. @throws UserError before anything is written. */
export function keepFilesApart(options: FileOptions, read: readonly (string | undefined)[]): void {
  const { policy, preset, scenario, baseline } = options;
  const inputs = [...read, policy, preset, scenario, baseline].filter((path) => path !== undefined);
  const written = new Map<string, string>();
  for (const name of ['json', 'trace', 'report', 'junit', 'output'] as const) {
    const path = options[name];
    if (path === undefined || path === '' || path === '-' || isNoFile(path)) continue;
    const where = `--${name} ${path}`;
    if (inputs.some((input) => isReadFrom(path, input))) throw refusal(where, 'a file that is read');
    const before = written.get(realPath(path));
    if (before !== undefined) throw refusal(where, `the file of --${before}`);
    written.set(realPath(path), name);
  }
}

/** Null where the file may be written: it is not there, empty, or of the kind. */
export function otherContent(path: string, { what, isOne }: Replaceable): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() !== true || stat.size === 0 || isOne(headOf(path))) return null;
  return `a new file, or ${what}`;
}

function headOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(HEAD_BYTES);
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

function isReadFrom(path: string, input: string): boolean {
  if (!existsSync(path) || !existsSync(input)) return false;
  if (realPath(input) === realPath(path)) return true;
  // Of a folder all case files are read.
  return realPath(input) === dirname(realPath(path)) && extname(path) === '.json';
}

/** Pipes and devices take what comes, also twice. */
function isNoFile(path: string): boolean {
  return existsSync(path) && !statSync(path).isFile();
}

/** Also of a file that is yet to be made. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const folder = dirname(resolve(path));
  return existsSync(folder) ? join(realpathSync(folder), basename(path)) : resolve(path);
}

function refusal(where: string, found: string): UserError {
  return new UserError({ where, found, allowed: 'another file' });
}
