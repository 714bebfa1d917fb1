/** Where in code of the user's own an error was thrown. */

import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of all of svmsim's own modules, built or not. */
const OWN_FOLDER = `${dirname(dirname(fileURLToPath(import.meta.url)))}/`;

/** ` at my-policy.mjs:12`, to be put behind what is wrong; empty where {@link userPlace} knows no place. */
export function atUserPlace(error: unknown): string {
  const place = userPlace(error);
  return place === null ? '' : ` at ${place}`;
}

/**
 * `my-policy.mjs:12`: the first frame of the stack that is none of svmsim's own, of Node's or of a package's; null where there is none before `isEnd`
 * holds of a frame: what has called from there on has no part in it.
 */
export function userPlace(error: unknown, isEnd: (frame: string) => boolean = () => false): string | null {
  if (!(error instanceof Error) || error.stack === undefined) return null;
  for (const frame of error.stack.split('\n')) {
    if (isEnd(frame)) return null;
    const match = /^\s+at (?:.*\()?((?:file:\/\/)?\/[^)]*?):(\d+):\d+\)?$/.exec(frame);
    if (match === null) continue;
    const [, location, line] = match;
    const path = location.startsWith('file://') ? fileURLToPath(location.replace(/\?.*$/, '')) : location;
    if (!path.startsWith(OWN_FOLDER) && !path.includes('/node_modules/')) return `${basename(path)}:${line}`;
  }
  return null;
}
