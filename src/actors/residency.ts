/** Where the pages of a process are, for programs that only look: no page is touched. */

import { Errno } from '../base/errno.js';
import type { Kernel } from '../mm/kernel.js';
import { type Pte, pteFromWord, pteIsMapping, ptePfn } from '../mm/table/pte.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';

export function registerResidency(ioctls: IoctlTable, kernel: Kernel): void {
  ioctls.register(IoctlRequest.readResidency, (call) => readResidency(kernel, call));
}

function* readResidency(kernel: Kernel, call: IoctlCall): Steps<IoctlReply> {
  tellPlaces(kernel, call, pteIsMapping);
  return ioctlReply(Errno.OK, call.npages);
}

/** A byte for each page of a call: 0 where its entry is not `shown`, else 1 and the number of its zone. */
export function tellPlaces(
  { memory: { layout } }: Kernel,
  { mm, page, npages, payload }: IoctlCall,
  shown: (pte: Pte) => boolean,
): void {
  for (let i = 0; i < npages; i++) {
    const pte = pteFromWord(mm.pageTable.get(page + i));
    payload.bytes[i] = shown(pte) ? 1 + layout.zoneOf(ptePfn(pte)).id : 0;
  }
}
