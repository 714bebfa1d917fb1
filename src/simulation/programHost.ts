/** What a workload's program sees of the CPU thread that runs it. */

import type { CpuThread } from '../actors/cpuThread.js';
import type { Errno } from '../base/errno.js';
import type { Vpn } from '../base/units.js';
import type { CallPayload } from '../memory/callPayload.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import type { Gate } from '../sim/gate.js';
import { Random } from '../sim/random.js';
import type { Scheduler } from '../sim/scheduler.js';
import type { Steps } from '../sim/steps.js';
import { WaitQueue } from '../sim/waitQueue.js';
import { untilPresent } from '../workload/patience.js';
import type { Advice, CallReply, HostContext } from '../workload/workload.js';
import { type LoadClass, loadClasses } from '../workload/workloadConfig.js';
import { WorkloadStep } from '../workload/workloadStep.js';

/** Streams of random numbers for programs; devices and contexts use others. */
const PROGRAM_STREAM = 1000;

/** What a counter of a device stands at; null for a name that no counter has. */
export type CounterReader = (device: number, name: string) => number | null;

/** What a program can learn of, and do to, the counts and measures of its run. */
export interface RunMeters {
  readonly counter: CounterReader;
  forgetLatencies(): void;
}

export class ProgramHost implements HostContext {
  readonly random: Random;
  /** The program stands at a checkpoint. */
  isHeld = false;
  private holds: WaitQueue | null = null;

  constructor(
    private readonly thread: CpuThread,
    /** The workload is the thread's, so both have the same index. */
    readonly index: number,
    readonly deviceCount: number,
    seed: number,
    private readonly meters: RunMeters,
    /** Devices may leave the process and come back. */
    private readonly isPatient: boolean,
  ) {
    this.random = new Random(seed, PROGRAM_STREAM + index);
  }

  get memory(): PhysicalMemory {
    return this.thread.memory;
  }

  get stopping(): boolean {
    return this.thread.gate.ending;
  }

  get gate(): Gate {
    return this.thread.gate;
  }

  tryPage(page: Vpn, write: boolean): number {
    return this.thread.tryPage(page, write);
  }

  release(): void {
    this.thread.release();
  }

  fault(page: Vpn, write: boolean): Steps<Errno> {
    return this.thread.fault(page, write);
  }

  mmap(hint: Vpn, npages: number, prot: number, flags: number, file = 0, fileOffset = 0): Steps<number> {
    return this.thread.mmap(hint, npages, prot, flags, file, fileOffset);
  }

  munmap(page: Vpn, npages: number): Steps<Errno> {
    return this.thread.munmap(page, npages);
  }

  mprotect(page: Vpn, npages: number, prot: number): Steps<Errno> {
    return this.thread.mprotect(page, npages, prot);
  }

  madvise(page: Vpn, npages: number, advice: Advice): Steps<Errno> {
    return this.thread.madvise(page, npages, advice);
  }

  mremap(page: Vpn, npages: number, newPages: number, flags: number, newPage: Vpn): Steps<number> {
    return this.thread.mremap(page, npages, newPages, flags, newPage);
  }

  brk(end: Vpn): Steps<number> {
    return this.thread.brk(end);
  }

  prefetch(page: Vpn, npages: number, target: number, depth: number): Steps<Errno> {
    return this.thread.prefetch(page, npages, target, depth);
  }

  residentPages(page: Vpn, npages: number, target: number): Steps<number> {
    return this.thread.residentPages(page, npages, target);
  }

  setMembership(device: number, joins: boolean): Steps<Errno> {
    return this.thread.setMembership(device, joins);
  }

  unbind(device: number): Steps<Errno> {
    return this.thread.unbind(device);
  }

  now(): number {
    return this.thread.now();
  }

  /** Where devices come and go, one that is away is waited for. */
  launch(device: number, phase: number, a: number, b: number): Steps<Errno> {
    const { thread, index } = this;
    const attempt = (): Steps<Errno> => thread.launchKernel(device, index, phase, a, b);
    return this.isPatient ? untilPresent(thread.gate, (ns) => thread.sleep(ns), attempt) : attempt();
  }

  enterProcess(mm: number): Steps<Errno> {
    return this.thread.enterProcess(mm);
  }

  get payload(): CallPayload {
    return this.thread.payload;
  }

  *ioctl(request: number, device: number, page: Vpn, npages: number, a: number, b: number): Steps<CallReply> {
    return yield* this.thread.ioctl(request, device, page, npages, a, b);
  }

  counter(device: number, name: string): number | null {
    return this.meters.counter(device, name);
  }

  forgetLatencies(): void {
    this.meters.forgetLatencies();
  }

  noteLoad(load: LoadClass, ns: number): void {
    this.thread.note(WorkloadStep.load, loadClasses.indexOf(load), ns);
  }

  *checkpoint(): Steps<void> {
    if (this.holds === null) return;
    this.isHeld = true;
    while (this.isHeld) yield* this.holds.wait();
  }

  /** From now on the program stands still at each checkpoint until {@link goOn}. */
  holdAtCheckpoints(sched: Scheduler): void {
    this.holds = new WaitQueue(sched, 'the checkpoint to be looked at');
  }

  /** Lets a program that is held go on. */
  goOn(): void {
    this.isHeld = false;
    this.holds?.wakeAll();
  }

  parallel(operations: readonly Steps<Errno>[]): Steps<readonly Errno[]> {
    return this.thread.parallel(operations);
  }

  sleep(ns: number): Steps<void> {
    return this.thread.sleep(ns);
  }
}
