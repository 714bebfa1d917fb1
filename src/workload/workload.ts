/** What a workload is: a program on a CPU thread, kernels on the devices, and what memory must hold whenever the run is still. */

import type { Errno } from '../base/errno.js';
import { type Vpn, vpn } from '../base/units.js';
import type { CaseResults } from '../case/stepResult.js';
import type { AccessPort } from '../memory/accessPort.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { FaultKind } from '../memory/faultKind.js';
import type { Madvise } from '../mm/area/madvise.js';
import type { Gate } from '../sim/gate.js';
import type { Random } from '../sim/random.js';
import type { Steps } from '../sim/steps.js';
import type { LoadClass } from './workloadConfig.js';

export { Madvise as Advice } from '../mm/area/madvise.js';
export { MapFlag, Prot } from '../mm/area/mmap.js';
export { MremapFlag as RemapFlag } from '../mm/area/mremap.js';

/** The system calls and the memory of one CPU thread. Negative results are errno values. */
export interface HostContext extends AccessPort {
  /** Index of the CPU thread. */
  readonly index: number;
  readonly deviceCount: number;
  /** This thread's own stream, from the scenario's seed. */
  readonly random: Random;
  /** Passed between two operations (`if (gate.isClosed) yield* gate.pass()`), so that the run can be held where nothing is half done. */
  readonly gate: Gate;
  /** Set when the run's time is up or the user stopped it: open-ended work ends at the next operation. */
  readonly stopping: boolean;
  /** `file` is the number that opening it replied, 0 for none; `fileOffset` its first page. */
  mmap(
    hint: Vpn,
    npages: number,
    prot: number,
    flags: number,
    file?: number,
    fileOffset?: number,
  ): Steps<number>;
  munmap(page: Vpn, npages: number): Steps<Errno>;
  mprotect(page: Vpn, npages: number, prot: number): Steps<Errno>;
  madvise(page: Vpn, npages: number, advice: Madvise): Steps<Errno>;
  mremap(page: Vpn, npages: number, newPages: number, flags: number, newPage: Vpn): Steps<number>;
  /** Sets the end of the heap; returns the end that holds now. Zero asks. */
  brk(end: Vpn): Steps<number>;
  /** Runs `Workload.kernel(phase, a, b)` of the same workload on a device; returns when all its contexts have ended. */
  launch(device: number, phase: number, a: number, b: number): Steps<Errno>;
  /** Runs several operations side by side and waits for all. */
  parallel(operations: readonly Steps<Errno>[]): Steps<readonly Errno[]>;
  /** Migrates what is mapped of a span to a device's memory and maps it there, or with target -1 to RAM; `depth` ranges at a time. */
  prefetch(page: Vpn, npages: number, target: number, depth: number): Steps<Errno>;
  /** How many pages of a span lie in a device's memory, or with target -1 in RAM, at this moment; none of them is touched. */
  residentPages(page: Vpn, npages: number, target: number): Steps<number>;
  /**
   * A device begins to mirror the process's addresses, or stops; one that has stopped runs nothing for the process. Errors: -EEXIST, -ENODEV (it does
   * not), -EBUSY (it has, but pages of its memory were in use and stay), -ENOMEM.
   */
  setMembership(device: number, joins: boolean): Steps<Errno>;
  /** The driver lets go of a device, while programs go on. Errors: -ENODEV, it has already; -EBUSY, pages of its memory stay in use. */
  unbind(device: number): Steps<Errno>;
  /** Nanoseconds since the start, of the executor's clock. */
  now(): number;
  /** Waits on the executor's clock. */
  sleep(ns: number): Steps<void>;
  /** From now on this thread runs another process; -ENOENT when there is none of that number. Process 1 exists from the start. */
  enterProcess(mm: number): Steps<Errno>;
  /** What the next {@link HostContext.ioctl} hands over beside its numbers, and what it gave back. */
  readonly payload: CallPayload;
  /** A call to a driver; the requests are those of `IoctlRequest`. */
  ioctl(request: number, device: number, page: Vpn, npages: number, a: number, b: number): Steps<CallReply>;
  /** A counter of a device by its name, as it stands now; null where there is none of that name. */
  counter(device: number, name: string): number | null;
  /** Latencies measured so far count no more; to be called while nothing else of the run is under way. */
  forgetLatencies(): void;
  /** An operation of a load has ended: for counts and latencies of its class. */
  noteLoad(load: LoadClass, ns: number): void;
  /** The program is between two steps: whoever watches may look at everything before the next one begins. */
  checkpoint(): Steps<void>;
}

/** What a driver replies: an errno and two numbers that the request defines. */
export interface CallReply {
  readonly errno: Errno;
  readonly a: number;
  readonly b: number;
}

/** One context of a kernel on a device. */
export interface DeviceContext extends AccessPort {
  readonly device: number;
  /** Index among the `count` contexts of this launch. */
  readonly index: number;
  readonly count: number;
  readonly gate: Gate;
  /** As `tryPage` for an atomic on the page, which a device may be able to do in its own memory only. */
  tryAtomic(page: Vpn): number;
  fault(page: Vpn, write: boolean, kind?: FaultKind): Steps<Errno>;
}

/** OK at its end, or the errno of an illegal access. */
export type DeviceKernel = (context: DeviceContext) => Steps<Errno>;

/** How a program ended. */
export interface WorkloadResult {
  readonly workload: string;
  readonly ok: boolean;
  /** In words: what was computed and compared, or what went wrong. */
  readonly detail: string;
  /** Counts worth a line in the summary, such as `elements` or `mismatches`. */
  readonly counts: Readonly<Record<string, number>>;
  /** The run ended before it had done anything: that nothing is wrong says nothing. */
  readonly isEmpty?: true | undefined;
  /** Of a case: what its steps gave. */
  readonly caseResults?: CaseResults;
}

/** What a result says of having done nothing, or too little to compare anything. */
export function emptyIf(isEmpty: boolean): Pick<WorkloadResult, 'isEmpty'> {
  return isEmpty ? { isEmpty } : {};
}

/** What one actor's instance of a workload has done so far: plain data that can be sent between threads. */
export type Progress = Readonly<Record<string, unknown>>;

/** Where the progress came from. */
export interface ActorProgress {
  /** -1 for the CPU thread that runs the program. */
  readonly device: number;
  readonly progress: Progress;
}

/** What a span of memory must hold while nothing runs. */
export interface Expectation {
  readonly start: Vpn;
  readonly npages: number;
  /**
   * Compares one page with what it must hold; `words` is the page's 1024 words, or null where nothing is mapped or populated (which reads as
   * zeros if the address is mapped). Returns what is wrong, in words, or null.
   */
  check(page: Vpn, words: Int32Array | null): string | null;
  /** Pages that are looked at also where nothing is there; all others hold then. Without it all pages of the span are looked at. */
  readonly written?: readonly Vpn[];
  /** Whatever is there is right: nothing is compared, and pages need not be there. */
  readonly isAnything?: boolean;
}

/**
 * Every actor makes an instance of its own from the same configuration: the CPU thread runs `run`, the devices run kernels, and the main
 * thread asks for expectations. Instances share nothing but simulated memory.
 */
export interface Workload {
  readonly name: string;
  /** Runs on the workload's CPU thread. */
  run(host: HostContext): Steps<WorkloadResult>;
  /** Made on a device for each launch. */
  kernel(device: number, phase: number, a: number, b: number): DeviceKernel;
  progress(): Progress;
  /** From the progress of all actors, taken while nothing ran: all that memory of this workload must hold, byte for byte. */
  expect(progress: readonly ActorProgress[]): Expectation[];
}

/** Addresses for the buffers of one workload: 16 GiB. */
export const BUFFER_PAGES = 2 ** 22;

/** They start here, out of the way of recorded programs. */
export function bufferBase(workloadIndex: number): Vpn {
  return vpn(0x2_0000_0000 + workloadIndex * BUFFER_PAGES);
}
