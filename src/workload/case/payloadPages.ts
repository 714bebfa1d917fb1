/** What a command has read, from the payload of the thread that gave it. */

import { PAGE_WORDS } from '../../base/units.js';
import { contentOf, type PageContent } from '../../case/pageContent.js';
import type { CaseThread } from './caseThread.js';

/** Page by page. */
export function payloadPages(thread: CaseThread, npages: number): PageContent[] {
  const { words } = thread.host.payload;
  return Array.from({ length: npages }, (_, i) => contentOf(words, i * PAGE_WORDS));
}
