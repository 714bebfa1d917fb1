/** Reads a file that a user named, or says why it cannot be read. */

import { readFileSync, statSync } from 'node:fs';
import { UserError } from '../base/userError.js';
import { formatSize } from './quantities.js';

/** Who named the file, where that is another file. */
export interface FileReference {
  readonly where: string;
  readonly line?: number | undefined;
  readonly key: string;
}

/** `what` says what kind of file it should be. @throws UserError also for one above `mostBytes` or not in UTF-8. */
export function readTextFile(path: string, what: string, mostBytes: number, namedBy?: FileReference): string {
  const refuse = (found: string): UserError => refusal(path, found, what, namedBy);
  let bytes: Buffer;
  try {
    const stat = statSync(path);
    // Reading one might never end.
    if (stat.isCharacterDevice() || stat.isBlockDevice()) throw refuse('a device');
    if (stat.size > mostBytes)
      throw refuse(`a file of ${stat.size} bytes; at most ${formatSize(mostBytes)} are read`);
    bytes = readFileSync(path);
  } catch (error) {
    throw error instanceof UserError ? error : refuse(reasonOf(error));
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse('bytes that are not UTF-8 text');
  }
}

function refusal(path: string, found: string, what: string, namedBy?: FileReference): UserError {
  if (namedBy === undefined) return new UserError({ where: path, found, allowed: what });
  const { where, line, key } = namedBy;
  const place = line === undefined ? { where, key } : { where, line, key };
  return new UserError({ ...place, found: `${path}, ${found}`, allowed: what });
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file';
  if (code === 'EISDIR') return 'a directory';
  if (code === 'EACCES' || code === 'EPERM') return 'a file that may not be read';
  return `a file that cannot be read (${code})`;
}
