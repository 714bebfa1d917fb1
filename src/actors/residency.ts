/** Where the pages of a process are, for programs that only look: no page is touched. */

import { Errno } from '../base/errno.js';
import type { Kernel } from '../mm/kernel.js';
import { pteFromWord, pteIsMapping, ptePfn } from '../mm/table/pte.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';

export function registerResidency(ioctls: IoctlTable, kernel: Kernel): void {
  ioctls.register(IoctlRequest.readResidency, (call) => readResidency(kernel, call));
}

function* readResidency(
  { memory: { layout } }: Kernel,
  { mm, page, npages, payload }: IoctlCall,
): Steps<IoctlReply> {
  for (let i = 0; i < npages; i++) {
    const pte = pteFromWord(mm.pageTable.get(page + i));
    payload.bytes[i] = pteIsMapping(pte) ? 1 + layout.zoneOf(ptePfn(pte)).id : 0;
  }
  return ioctlReply(Errno.OK, npages);
}
