/** Says in words why a file could not be read or written, in place of what the operating system calls it. */

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

const readTroubles: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EISDIR: 'a directory',
  EACCES: 'a file that may not be read',
  EPERM: 'a file that may not be read',
};

const writeTroubles: Readonly<Record<string, string>> = {
  EISDIR: 'a directory',
  EACCES: 'a file that may not be written',
  EPERM: 'a file that may not be written',
  EROFS: 'a file that may not be written',
  ENOSPC: 'a disk without room',
  EDQUOT: 'a disk without room',
};

export function readTrouble(error: unknown): string {
  const code = codeOf(error);
  return readTroubles[code] ?? `a file that cannot be read (${code})`;
}

export function writeTrouble(error: unknown, path: string): string {
  const code = codeOf(error);
  if ((code === 'ENOENT' || code === 'ENOTDIR') && !existsSync(dirname(path))) return 'no such directory';
  return writeTroubles[code] ?? `a file that cannot be written (${code})`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
