/** The CpuThread actor: one application thread with its TLB, its loads and stores, and its system calls. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { PAGE_WORDS, type Vpn } from '../base/units.js';
import type { AccessBracket } from '../memory/accessBracket.js';
import type { AccessPort } from '../memory/accessPort.js';
import type { CallPayload } from '../memory/callPayload.js';
import { NO_PFN, type Pfn } from '../memory/pfn.js';
import type { PhysicalMemory } from '../memory/physicalMemory.js';
import { NO_TABLE, RadixTable } from '../memory/radixTable.js';
import type { Madvise } from '../mm/area/madvise.js';
import { PteBit, pteAllows, pteFromWord, ptePfn } from '../mm/table/pte.js';
import { Gate } from '../sim/gate.js';
import type { Port } from '../sim/port.js';
import { runAll } from '../sim/runAll.js';
import type { Scheduler } from '../sim/scheduler.js';
import { defineStep, STEP, type StepId, type Steps } from '../sim/steps.js';
import type { ActorId } from '../sim/task.js';
import { CpuTlb } from './cpuTlb.js';
import type { IoctlReply } from './ioctl.js';
import { CpuMessage } from './messages.js';

export const CpuStep = {
  access: defineStep('cpu.access', 'vpn', 'flags', 'id'),
  fault: defineStep('cpu.fault', 'vpn', 'flags', 'id'),
} as const;

/** Modelled time of a fault that changed nothing, before it is tried again: a device keeps its page for a timeslice, which must end. */
const REFAULT_NS = 1_000;

/** What a CPU thread is given. */
export interface CpuThreadWorld {
  readonly sched: Scheduler;
  readonly actor: ActorId;
  readonly memory: PhysicalMemory;
  /** The page tables' words, read as the hardware walker does, and the root of the first process's table. */
  readonly tableWords: Uint32Array;
  readonly tableRoot: number;
  readonly bracket: AccessBracket;
  /** Modelled time of the accesses between two waits: they overlap, as misses of a processor do. */
  readonly accessNs: number;
  /** Shared with the Coordinator; none where the program makes no driver calls. */
  readonly payload?: CallPayload;
}

export class CpuThread implements AccessPort {
  readonly memory: PhysicalMemory;
  readonly gate: Gate;
  /** Faults that were not resolved by the TLB or the walk. */
  faults = 0;
  accesses = 0;
  /** The last fault, and the accesses there had been: to tell a fault that is raised again at once. */
  private faultedPage = -1;
  private accessesBefore = -1;
  private readonly sched: Scheduler;
  private readonly tlb = new CpuTlb();
  private inside = false;
  private generation = -1;
  private root: number;

  constructor(
    readonly index: number,
    private readonly world: CpuThreadWorld,
    private readonly host: Port,
  ) {
    this.memory = world.memory;
    this.root = world.tableRoot;
    this.sched = world.sched;
    this.gate = new Gate(world.sched, `pause of cpu${index}`);
  }

  /** Table index of the root of the process that the thread runs. @kernel cr3 */
  get tableRoot(): number {
    return this.root;
  }

  /** A failed attempt also ends the section that earlier ones opened. */
  tryPage(page: Vpn, write: boolean): number {
    this.enter();
    let pfn = this.tlb.lookup(page, write);
    if (pfn === NO_PFN) pfn = this.walk(page, write);
    if (pfn === NO_PFN) {
      this.release();
      return -1;
    }
    this.accesses++;
    this.sched.owe(this.world.accessNs);
    return pfn * PAGE_WORDS;
  }

  /** The frame that the next load from `page` would use without a walk; NO_PFN if none. */
  cachedFrame(page: Vpn): Pfn {
    return this.world.bracket.generation === this.generation ? this.tlb.lookup(page, false) : NO_PFN;
  }

  release(): void {
    if (!this.inside) return;
    this.inside = false;
    this.world.bracket.exit();
  }

  *fault(page: Vpn, write: boolean): Steps<Errno> {
    this.faults++;
    if (this.sched.reach(CpuStep.fault, page, write ? 1 : 0, this.index)) yield STEP;
    if (page === this.faultedPage && this.accesses === this.accessesBefore)
      yield* this.sched.spend(REFAULT_NS);
    this.faultedPage = page;
    this.accessesBefore = this.accesses;
    return (yield* this.host.call(CpuMessage.fault, { page, write: write ? 1 : 0 })).errno;
  }

  /** Shared with the Coordinator for the calls of {@link ioctl}. */
  get payload(): CallPayload {
    const { payload } = this.world;
    assert(payload !== undefined, () => `cpu${this.index} has no payload`);
    return payload;
  }

  /** From now on loads, stores and calls are those of this process; -ENOENT when it has ended. @kernel switch_mm */
  *enterProcess(mm: number): Steps<Errno> {
    this.release();
    const { errno, root } = yield* this.host.call(CpuMessage.enterProcess, { mm });
    if (errno !== Errno.OK) return errno;
    this.root = root;
    this.tlb.flush();
    return errno;
  }

  /** A driver call with what {@link payload} holds; the driver's results are the reply and the payload. */
  *ioctl(
    request: number,
    device: number,
    page: Vpn,
    npages: number,
    a: number,
    b: number,
  ): Steps<IoctlReply> {
    return yield* this.host.call(CpuMessage.ioctl, { request, device, page, npages, a, b });
  }

  *mmap(hint: Vpn, npages: number, prot: number, flags: number, file = 0, fileOffset = 0): Steps<number> {
    const args = { hint, npages, prot, flags, file, fileOffset };
    return (yield* this.host.call(CpuMessage.mmap, args)).result;
  }

  *munmap(page: Vpn, npages: number): Steps<Errno> {
    return (yield* this.host.call(CpuMessage.munmap, { page, npages })).errno;
  }

  *mprotect(page: Vpn, npages: number, prot: number): Steps<Errno> {
    return (yield* this.host.call(CpuMessage.mprotect, { page, npages, prot })).errno;
  }

  *madvise(page: Vpn, npages: number, advice: Madvise): Steps<Errno> {
    return (yield* this.host.call(CpuMessage.madvise, { page, npages, advice })).errno;
  }

  *mremap(page: Vpn, npages: number, newPages: number, flags: number, newPage: Vpn): Steps<number> {
    return (yield* this.host.call(CpuMessage.mremap, { page, npages, newPages, flags, newPage })).result;
  }

  *brk(end: Vpn): Steps<number> {
    return (yield* this.host.call(CpuMessage.brk, { end })).end;
  }

  *prefetch(page: Vpn, npages: number, target: number, depth: number): Steps<Errno> {
    return (yield* this.host.call(CpuMessage.prefetch, { page, npages, target, depth })).errno;
  }

  /** How many pages of the span lie in a device's memory, or with target -1 in RAM; what is about to move lies nowhere. */
  *residentPages(page: Vpn, npages: number, target: number): Steps<number> {
    return (yield* this.host.call(CpuMessage.residency, { page, npages, target })).npages;
  }

  /** A device begins to mirror the process's addresses, or stops. Errors: -EEXIST, -ENODEV, -ENOENT, -EBUSY, -ENOMEM. */
  *setMembership(device: number, joins: boolean): Steps<Errno> {
    return (yield* this.host.call(CpuMessage.membership, { device, joins: joins ? 1 : 0 })).errno;
  }

  /** The driver lets go of the device. Errors: -ENODEV, it has already; -EBUSY, pages of its memory are in use. */
  *unbind(device: number): Steps<Errno> {
    return (yield* this.host.call(CpuMessage.unbind, { device })).errno;
  }

  /** Of the executor's clock. */
  now(): number {
    return this.sched.now();
  }

  /** Marks a named step of the program that the thread runs. */
  note(step: StepId, a: number, b: number): void {
    this.sched.at(step, a, b);
  }

  /** While the kernel runs the thread only waits, so that a pause need not wait for it. */
  *launchKernel(device: number, workload: number, phase: number, a: number, b: number): Steps<Errno> {
    this.gate.leave();
    const { errno } = yield* this.host.call(CpuMessage.launch, { device, workload, phase, a, b });
    yield* this.gate.rejoin();
    return errno;
  }

  *sleep(ns: number): Steps<void> {
    yield* this.sched.sleep(ns);
  }

  /** Each operation as a task of its own, which passes the gate on its own; results in the order given. */
  *parallel(operations: readonly Steps<Errno>[]): Steps<readonly Errno[]> {
    const { gate } = this;
    const results: Errno[] = operations.map(() => 0);
    for (const _ of operations) gate.join();
    gate.leave();
    yield* runAll(
      this.sched,
      this.world.actor,
      `cpu${this.index}.parallel`,
      operations.map((one, i) => this.runGated(results, i, one)),
    );
    yield* gate.rejoin();
    return results;
  }

  private *runGated(results: Errno[], index: number, operation: Steps<Errno>): Steps<Errno> {
    yield* this.gate.pass();
    results[index] = yield* operation;
    this.gate.leave();
    return results[index];
  }

  private enter(): void {
    if (this.inside) return;
    const generation = this.world.bracket.enter();
    this.inside = true;
    if (generation === this.generation) return;
    this.generation = generation;
    this.tlb.flush();
    // Its tables are others' now.
    if (this.world.bracket.isRevoked) this.root = NO_TABLE;
  }

  /** The hardware page walk: sets young, and dirty on a store, in an entry that still allows the access at that moment. */
  private walk(page: Vpn, write: boolean): Pfn {
    const { tableWords } = this.world;
    const slot = RadixTable.walk(tableWords, this.root, page);
    if (slot < 0) return NO_PFN;
    const bits = PteBit.Young | (write ? PteBit.Dirty : 0);
    for (;;) {
      const word = Atomics.load(tableWords, slot);
      if (!pteAllows(word, write)) return NO_PFN;
      const marked = (word | bits) >>> 0;
      if (marked === word || Atomics.compareExchange(tableWords, slot, word, marked) === word) {
        const pte = pteFromWord(marked);
        // A clean entry is cached read-only, so that the first store marks it dirty.
        this.tlb.fill(page, ptePfn(pte), write);
        return ptePfn(pte);
      }
    }
  }
}
