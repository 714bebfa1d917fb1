/** The files that programs have opened, by the numbers under which their calls name them. */

import { Errno } from '../base/errno.js';
import { PAGE_WORDS } from '../base/units.js';
import { DEVICE_FILE, SHMEM_FILE } from '../mm/file/fileType.js';
import type { MappedFile } from '../mm/file/mappedFile.js';
import type { Kernel } from '../mm/kernel.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { type IoctlCall, type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';

/** The number of no file. */
export const NO_FILE = 0;

/** Files stay open until the machine is torn down. @kernel files_struct */
export class FileTable {
  private readonly open: MappedFile[] = [];

  constructor(private readonly kernel: Kernel) {}

  register(ioctls: IoctlTable): void {
    ioctls.register(IoctlRequest.fileCreate, (call) => this.create(call));
    ioctls.register(IoctlRequest.fileRead, (call) => this.read(call));
    ioctls.register(IoctlRequest.fileOpenDevice, () => this.openDevice());
  }

  /** Null for a number that no file has. */
  find(number: number): MappedFile | null {
    return this.open[number - 1] ?? null;
  }

  closeAll(): void {
    for (const file of this.open.splice(0)) this.kernel.pageCache.close(file);
  }

  /** -ENOMEM leaves a file of zeros after what could be written. */
  private *create({ npages, payload }: IoctlCall): Steps<IoctlReply> {
    const { pageCache } = this.kernel;
    const file = pageCache.create(npages, SHMEM_FILE);
    const number = this.add(file);
    for (let i = 0; i < npages; i++) {
      const words = payload.words.subarray(i * PAGE_WORDS, (i + 1) * PAGE_WORDS);
      if (!pageCache.write(file.mapping, i, words)) return ioctlReply(Errno.ENOMEM, number);
    }
    return ioctlReply(Errno.OK, number);
  }

  private *read({ a, payload }: IoctlCall): Steps<IoctlReply> {
    const file = this.find(a);
    if (file === null) return ioctlReply(Errno.ENOENT);
    const { npages } = file.mapping;
    for (let i = 0; i < npages; i++) {
      payload.words.set(this.kernel.pageCache.read(file.mapping, i), i * PAGE_WORDS);
    }
    return ioctlReply(Errno.OK, npages);
  }

  private *openDevice(): Steps<IoctlReply> {
    return ioctlReply(Errno.OK, this.add(this.kernel.pageCache.create(0, DEVICE_FILE)));
  }

  private add(file: MappedFile): number {
    this.open.push(file);
    return this.open.length;
  }
}
