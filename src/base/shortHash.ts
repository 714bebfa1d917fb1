/** What stands for a long text in results: enough of its hash to tell it from others. */

import { createHash } from 'node:crypto';

const DIGITS = 12;

/** The first twelve hexadecimal digits of the SHA-256. */
export function shortHash(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, DIGITS);
}
