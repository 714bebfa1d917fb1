/** The kernel's side of a CPU thread: its faults, system calls and driver calls, carried out for the process that it runs. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { MmCalls } from '../mm/mmCalls.js';
import type { Mm } from '../mm/process/mm.js';
import type { Port } from '../sim/port.js';
import { type FileTable, NO_FILE } from './fileTable.js';
import type { IoctlTable } from './ioctl.js';
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
    const { thread, processes, ioctls, payload } = this;
    port.answer(CpuMessage.enterProcess, ({ mm }) => {
      const process = processes.find(mm);
      // -ESRCH of the kernel.
      if (process === null) return { errno: Errno.ENOENT, root: 0 };
      this.current = process;
      return { errno: Errno.OK, root: process.pageTable.root };
    });
    const current = (): Mm => this.current;
    port.serve(CpuMessage.ioctl, function* ({ request, device, page, npages, a, b }) {
      assert(payload !== null, () => `cpu${thread} has no payload for a driver call`);
      return yield* ioctls.handle(request, { mm: current(), thread, device, page, npages, a, b, payload });
    });
  }

  private serveMemoryCalls(port: Port): void {
    const { calls, files } = this;
    const current = (): Mm => this.current;
    port.serve(CpuMessage.fault, function* ({ page, write }) {
      return { errno: yield* calls.faults.cpuFault(current(), page, write !== 0) };
    });
    port.serve(CpuMessage.mmap, function* ({ file: number, ...args }) {
      const file = files.find(number);
      if (number !== NO_FILE && file === null) return { result: Errno.ENOENT };
      return { result: yield* calls.memoryMap.mmap(current(), { ...args, file }) };
    });
    port.serve(CpuMessage.munmap, function* ({ page, npages }) {
      return { errno: yield* calls.memoryMap.munmap(current(), page, npages) };
    });
    port.serve(CpuMessage.mprotect, function* ({ page, npages, prot }) {
      return { errno: yield* calls.mprotect.mprotect(current(), page, npages, prot) };
    });
    port.serve(CpuMessage.madvise, function* ({ page, npages, advice }) {
      return { errno: yield* calls.madvise.madvise(current(), page, npages, advice) };
    });
    port.serve(CpuMessage.mremap, function* ({ page, npages, newPages, flags, newPage }) {
      const args = { from: page, fromPages: npages, toPages: newPages, flags, target: newPage };
      return { result: yield* calls.mremap.mremap(current(), args) };
    });
    port.serve(CpuMessage.brk, function* ({ end }) {
      return { end: yield* calls.memoryMap.brk(current(), end) };
    });
  }
}
