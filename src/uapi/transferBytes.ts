/** What a call takes of its payload for the pages that it is about. */

import { PAGE_BYTES } from '../base/units.js';
import { IoctlRequest } from './ioctlRequest.js';

/** For each page its content, a byte of what is known of it, or its number. Commands that first walk the pages, and then tell of them, end with the walk. */
const bytesPerPage: ReadonlyMap<number, number> = new Map<number, number>([
  [IoctlRequest.mirrorRead, PAGE_BYTES],
  [IoctlRequest.mirrorWrite, PAGE_BYTES],
  [IoctlRequest.fileCreate, PAGE_BYTES],
  [IoctlRequest.mirrorSnapshot, 1],
  [IoctlRequest.mirrorCheckExclusive, 1],
  [IoctlRequest.pagemapRead, 1],
  [IoctlRequest.readResidency, 1],
  [IoctlRequest.queryResidency, 1],
  [IoctlRequest.pinUnpin, 4],
]);

/** Bytes. A call that needs more than its payload has is refused as one for whose buffers there is no memory. */
export function transferBytes(request: number, npages: number): number {
  return npages * (bytesPerPage.get(request) ?? 0);
}
