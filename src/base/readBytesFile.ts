/** Reads a file that a user named, or says why it cannot be read. */

import { readFileSync, statSync } from 'node:fs';
import { readTrouble } from './fileTrouble.js';
import { UserError } from './userError.js';

/** `refuse` makes the error of what was found in place of a file. @throws UserError also for one above `mostBytes`. */
export function readBytesFile(path: string, mostBytes: number, refuse: (found: string) => UserError): Buffer {
  try {
    const stat = statSync(path);
    // Reading one might never end.
    if (stat.isCharacterDevice() || stat.isBlockDevice()) throw refuse('a device');
    if (stat.size > mostBytes)
      throw refuse(`a file of ${stat.size} bytes; at most ${sizeText(mostBytes)} are read`);
    return readFileSync(path);
  } catch (error) {
    throw error instanceof UserError ? error : refuse(readTrouble(error));
  }
}

function sizeText(bytes: number): string {
  return bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}MiB` : `${bytes} bytes`;
}
