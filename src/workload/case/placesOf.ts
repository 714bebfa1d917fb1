/** Where pages are, as a call has told it in its payload. */

import type { CallPayload } from '../../memory/callPayload.js';

/** Of so many pages, by the names that cases have for places. */
export function placesOf({ bytes }: CallPayload, npages: number): string[] {
  return [...bytes.subarray(0, npages)].map(placeOf);
}

/** `0` where there is no page, else 1 and the number of the zone. */
function placeOf(code: number): string {
  if (code === 0) return 'none';
  return code === 1 ? 'sys' : `gpu${code - 2}`;
}
