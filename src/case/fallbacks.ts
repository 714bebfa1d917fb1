/** What a preferred location falls back to after an error: `-ENOLINK -> default device (own VRAM)`, `any error -> system memory`. */

import { Errno } from '../base/errno.js';

const errnos = Object.keys(Errno).filter((name) => name !== 'OK');
const ANY = 'any error';
const SYSTEM = 'system memory';
/** What stands in brackets is for readers. */
const form = new RegExp(`^(${ANY}|-(?:${errnos.join('|')})) -> (${SYSTEM}|default device)(?: \\(.*\\))?$`);

/** What a text must look like. */
export const FALLBACK_FORM = `'${ANY}' or a negative errno by name, then ' -> ${SYSTEM}' or ' -> default device'`;

/** One attempt after one that failed. */
export interface Fallback {
  /** By name, such as `-ENOLINK`; null for any. */
  readonly after: string | null;
  readonly place: 'sys' | 'default';
}

/** Null for a text that is none. */
export function parseFallback(text: string): Fallback | null {
  const match = form.exec(text);
  if (match === null) return null;
  const [, after, place] = match;
  return { after: after === ANY ? null : after, place: place === SYSTEM ? 'sys' : 'default' };
}
