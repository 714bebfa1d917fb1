/** Reads a text file that a user named, or says why it cannot be read. */

import { readBytesFile } from '../base/readBytesFile.js';
import { UserError, type UserMistake } from '../base/userError.js';

/** Who named the file, where that is another file. */
export interface FileReference {
  readonly where: string;
  readonly line?: number | undefined;
  readonly key: string;
}

/** `what` says what kind of file it should be. @throws UserError also for one above `mostBytes` or not in UTF-8. */
export function readTextFile(path: string, what: string, mostBytes: number, namedBy?: FileReference): string {
  const refuse = (found: string): UserError => refusal(path, found, what, namedBy);
  const bytes = readBytesFile(path, mostBytes, refuse);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse('bytes that are not UTF-8 text');
  }
}

function refusal(path: string, found: string, what: string, namedBy?: FileReference): UserError {
  if (namedBy === undefined) return new UserError({ where: path, found, allowed: what });
  return new UserError({ ...placeOf(namedBy), found: `${path}, ${found}`, allowed: what });
}

/** Without a line where there is none. */
export function placeOf({ where, line, key }: FileReference): Pick<UserMistake, 'where' | 'line' | 'key'> {
  return line === undefined ? { where, key } : { where, line, key };
}
