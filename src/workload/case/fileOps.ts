/** Operations of a case on files, and what mappings of files name. */

import { PAGE_WORDS, vpn } from '../../base/units.js';
import { contentOf, fillPage, type PageContent } from '../../case/pageContent.js';
import type { Steps } from '../../sim/steps.js';
import { IoctlRequest } from '../../uapi/ioctlRequest.js';
import type { CaseThread } from './caseThread.js';
import { type OpArgs, type OpHandlers, returned } from './opHandler.js';

const NO_FILE = 0;
const NO_PAGE = vpn(0);

/** The number of the file that a mapping is of; 0 for none. @throws CaseMisuse */
export function* mappedFile(thread: CaseThread, { backing, file }: OpArgs['mmap']): Steps<number> {
  switch (backing) {
    case 'file':
      return thread.file(file);
    case 'device_file': {
      const device = thread.device(file ?? 'gpu0');
      const reply = yield* thread.host.ioctl(IoctlRequest.fileOpenDevice, device, NO_PAGE, 0, 0, 0);
      return reply.a;
    }
    case 'hugetlb':
    case 'anon':
      return NO_FILE;
  }
}

export const fileOps: OpHandlers<'file_create' | 'file_read'> = {
  *file_create(thread, { proc, file, pages, pattern }) {
    yield* thread.enter(proc);
    const { words } = thread.host.payload;
    for (let i = 0; i < pages; i++) fillPage(words, i * PAGE_WORDS, pattern, i);
    const reply = yield* thread.host.ioctl(IoctlRequest.fileCreate, -1, NO_PAGE, pages, 0, 0);
    thread.files.set(thread.expand(file), reply.a);
    return returned(reply.errno);
  },

  *file_read(thread, { proc, file }) {
    yield* thread.enter(proc);
    const reply = yield* thread.host.ioctl(IoctlRequest.fileRead, -1, NO_PAGE, 0, thread.file(file), 0);
    if (reply.errno !== 0) return returned(reply.errno);
    const { words } = thread.host.payload;
    const data = Array.from({ length: reply.a }, (_, i): PageContent => contentOf(words, i * PAGE_WORDS));
    return { ret: 0, data, firstPage: 0 };
  },
};
