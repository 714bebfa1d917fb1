/** The kernel's side of a CPU thread: its faults, system calls and driver calls, carried out for the process that it runs. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { type Vpn, vpn } from '../base/units.js';
import type { AccessBracket } from '../memory/accessBracket.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { MmCalls } from '../mm/mmCalls.js';
import type { Mm } from '../mm/process/mm.js';
import type { ArgsOf } from '../sim/message.js';
import type { Port } from '../sim/port.js';
import type { Steps } from '../sim/steps.js';
import { IoctlRequest } from '../uapi/ioctlRequest.js';
import { transferBytes } from '../uapi/transferBytes.js';
import { type FileTable, NO_FILE } from './fileTable.js';
import { type IoctlReply, type IoctlTable, ioctlReply } from './ioctl.js';
import { CpuMessage } from './messages.js';
import { FIRST_PROCESS, type ProcessTable } from './processTable.js';

/** Of a call of a process that has ended: -ESRCH of the kernel. */
const GONE = Errno.ENOENT;
/** Work on nothing of the caller's memory. If they kept it, who ends his own process would wait for himself, and who waits at a pipe would hold up its end. */
const WITHOUT_MEMORY: ReadonlySet<number> = new Set([
  IoctlRequest.exit,
  IoctlRequest.kill,
  IoctlRequest.pipeRead,
  IoctlRequest.pipeWrite,
]);
/** Where the heap of a process that has ended ends. */
const NO_HEAP = vpn(0);

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
    private readonly bracket: AccessBracket,
  ) {
    const first = processes.find(FIRST_PROCESS);
    assert(first !== null, 'there is no first process');
    this.current = first;
  }

  /** Whose calls the thread makes. */
  get process(): Mm {
    return this.current;
  }

  /** The address space is gone: what the thread still does in it fails. @kernel leave_mm */
  leave(mm: Mm): void {
    if (this.current === mm) this.bracket.revoke();
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
      this.bracket.grant();
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

  /** -ENOMEM for more pages than there is memory for what is told of them. @kernel dmirror_bounce_init */
  private *ioctl({ request, ...args }: ArgsOf<typeof CpuMessage.ioctl>): Steps<IoctlReply> {
    const { thread, payload } = this;
    assert(payload !== null, () => `cpu${thread} has no payload for a driver call`);
    if (transferBytes(request, args.npages) > payload.bytes.length) return ioctlReply(Errno.ENOMEM);
    const call = (mm: Mm): Steps<IoctlReply> => this.ioctls.handle(request, { mm, thread, ...args, payload });
    if (WITHOUT_MEMORY.has(request)) return yield* call(this.current);
    return yield* this.inside<IoctlReply>(ioctlReply(GONE), call);
  }

  /** The address space stays for as long as a call works on it, whoever ends the process meanwhile; `gone` where it has ended before. */
  *inside<T>(gone: T, call: (mm: Mm) => Steps<T>): Steps<T> {
    const mm = this.current;
    if (!mm.getNotZero()) return gone;
    const result = yield* call(mm);
    mm.put();
    return result;
  }

  private *fault({ page, write }: ArgsOf<typeof CpuMessage.fault>): Steps<{ errno: Errno }> {
    const { faults } = this.calls;
    return {
      errno: yield* this.inside<Errno>(Errno.EFAULT, (mm) => faults.cpuFault(mm, page, write !== 0)),
    };
  }

  private *mmap({ file: number, ...args }: ArgsOf<typeof CpuMessage.mmap>): Steps<{ result: number }> {
    const file = this.files.find(number);
    if (number !== NO_FILE && file === null) return { result: Errno.ENOENT };
    const { memoryMap } = this.calls;
    return { result: yield* this.inside<number>(GONE, (mm) => memoryMap.mmap(mm, { ...args, file })) };
  }

  private *munmap({ page, npages }: ArgsOf<typeof CpuMessage.munmap>): Steps<{ errno: Errno }> {
    const { memoryMap } = this.calls;
    return { errno: yield* this.inside<Errno>(GONE, (mm) => memoryMap.munmap(mm, page, npages)) };
  }

  private *mprotect({ page, npages, prot }: ArgsOf<typeof CpuMessage.mprotect>): Steps<{ errno: Errno }> {
    const { mprotect } = this.calls;
    return { errno: yield* this.inside<Errno>(GONE, (mm) => mprotect.mprotect(mm, page, npages, prot)) };
  }

  private *madvise({ page, npages, advice }: ArgsOf<typeof CpuMessage.madvise>): Steps<{ errno: Errno }> {
    const { madvise } = this.calls;
    return { errno: yield* this.inside<Errno>(GONE, (mm) => madvise.madvise(mm, page, npages, advice)) };
  }

  private *mremap(args: ArgsOf<typeof CpuMessage.mremap>): Steps<{ result: number }> {
    const { page: from, npages: fromPages, newPages: toPages, flags, newPage: target } = args;
    const call = { from, fromPages, toPages, flags, target };
    const { mremap } = this.calls;
    return { result: yield* this.inside<number>(GONE, (mm) => mremap.mremap(mm, call)) };
  }

  private *brk({ end }: ArgsOf<typeof CpuMessage.brk>): Steps<{ end: Vpn }> {
    const { memoryMap } = this.calls;
    return { end: yield* this.inside<Vpn>(NO_HEAP, (mm) => memoryMap.brk(mm, end)) };
  }
}
