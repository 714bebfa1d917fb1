/** The kernel's side of a CPU thread: its faults, system calls and driver calls, carried out for the process that it runs. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { MmCalls } from '../mm/mmCalls.js';
import type { Mm } from '../mm/process/mm.js';
import type { ArgsOf } from '../sim/message.js';
import type { Port } from '../sim/port.js';
import type { Steps } from '../sim/steps.js';
import { type FileTable, NO_FILE } from './fileTable.js';
import type { IoctlReply, IoctlTable } from './ioctl.js';
import { CpuMessage } from './messages.js';
import { FIRST_PROCESS, type ProcessTable } from './processTable.js';

/** What the kernel knows of one CPU thread. */
export class CpuService {
  /** The process that the thread runs; its calls mean this one. @kernel current->mm */
  private current: Mm;

  constructor(
    private readonly thread: number,
    private readonly processes: ProcessTable,
    private readonly calls: MmCalls,
    private readonly ioctls: IoctlTable,
    private readonly files: FileTable,
    /** Null where the thread makes no driver calls. */
    private readonly payload: CallPayload | null,
  ) {
    const first = processes.find(FIRST_PROCESS);
    assert(first !== null, 'there is no first process');
    this.current = first;
  }

  /** Whose calls the thread makes. */
  get process(): Mm {
    return this.current;
  }

  /** Registers the handlers of everything that a thread asks of the mm. */
  serve(port: Port): void {
    this.serveProcesses(port);
    this.serveMemoryCalls(port);
  }

  private serveProcesses(port: Port): void {
    const { processes } = this;
    port.answer(CpuMessage.enterProcess, ({ mm }) => {
      const process = processes.find(mm);
      // -ESRCH of the kernel.
      if (process === null) return { errno: Errno.ENOENT, root: 0 };
      this.current = process;
      return { errno: Errno.OK, root: process.pageTable.root };
    });
    port.serve(CpuMessage.ioctl, (args) => this.ioctl(args));
  }

  private serveMemoryCalls(port: Port): void {
    port.serve(CpuMessage.fault, (args) => this.fault(args));
    port.serve(CpuMessage.mmap, (args) => this.mmap(args));
    port.serve(CpuMessage.munmap, (args) => this.munmap(args));
    port.serve(CpuMessage.mprotect, (args) => this.mprotect(args));
    port.serve(CpuMessage.madvise, (args) => this.madvise(args));
    port.serve(CpuMessage.mremap, (args) => this.mremap(args));
    port.serve(CpuMessage.brk, (args) => this.brk(args));
  }

  private *ioctl({ request, ...args }: ArgsOf<typeof CpuMessage.ioctl>): Steps<IoctlReply> {
    const { thread, payload } = this;
    assert(payload !== null, () => `cpu${thread} has no payload for a driver call`);
    return yield* this.ioctls.handle(request, { mm: this.current, thread, ...args, payload });
  }

  private *fault({ page, write }: ArgsOf<typeof CpuMessage.fault>): Steps<{ errno: Errno }> {
    return { errno: yield* this.calls.faults.cpuFault(this.current, page, write !== 0) };
  }

  private *mmap({ file: number, ...args }: ArgsOf<typeof CpuMessage.mmap>): Steps<{ result: number }> {
    const file = this.files.find(number);
    if (number !== NO_FILE && file === null) return { result: Errno.ENOENT };
    return { result: yield* this.calls.memoryMap.mmap(this.current, { ...args, file }) };
  }

  private *munmap({ page, npages }: ArgsOf<typeof CpuMessage.munmap>): Steps<{ errno: Errno }> {
    return { errno: yield* this.calls.memoryMap.munmap(this.current, page, npages) };
  }

  private *mprotect({ page, npages, prot }: ArgsOf<typeof CpuMessage.mprotect>): Steps<{ errno: Errno }> {
    return { errno: yield* this.calls.mprotect.mprotect(this.current, page, npages, prot) };
  }

  private *madvise({ page, npages, advice }: ArgsOf<typeof CpuMessage.madvise>): Steps<{ errno: Errno }> {
    return { errno: yield* this.calls.madvise.madvise(this.current, page, npages, advice) };
  }

  private *mremap(args: ArgsOf<typeof CpuMessage.mremap>): Steps<{ result: number }> {
    const { page: from, npages: fromPages, newPages: toPages, flags, newPage: target } = args;
    const call = { from, fromPages, toPages, flags, target };
    return { result: yield* this.calls.mremap.mremap(this.current, call) };
  }

  private *brk({ end }: ArgsOf<typeof CpuMessage.brk>): Steps<{ end: Vpn }> {
    return { end: yield* this.calls.memoryMap.brk(this.current, end) };
  }
}
