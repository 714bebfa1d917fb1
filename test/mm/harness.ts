/** What tests of the mm share: a small kernel under the virtual executor, CPU threads with a TLB, a toy device, and recorders. */

import { expect } from 'vitest';
import { assert } from '../../src/base/assert.js';
import { Errno } from '../../src/base/errno.js';
import { PAGE_WORDS, PMD_PAGES, type Vpn, vpn } from '../../src/base/units.js';
import { checkFiles } from '../../src/check/filePages.js';
import { checkHugetlb } from '../../src/check/hugetlb.js';
import { AccessBracket, BRACKET_WORDS } from '../../src/memory/accessBracket.js';
import { BuddyAllocator } from '../../src/memory/buddyAllocator.js';
import { FolioFlag, FolioTable } from '../../src/memory/folios.js';
import type { Pfn } from '../../src/memory/pfn.js';
import { PhysicalLayout } from '../../src/memory/physicalLayout.js';
import { PhysicalMemory } from '../../src/memory/physicalMemory.js';
import { TableArena } from '../../src/memory/radixTable.js';
import { ZoneKind } from '../../src/memory/zone.js';
import { MapFlag, Prot } from '../../src/mm/area/mmap.js';
import { Kernel, type MmCosts } from '../../src/mm/kernel.js';
import {
  type DeviceFault,
  type DevPagemap,
  type DevPagemapOps,
  pagemapOwner,
} from '../../src/mm/migrate/devPagemap.js';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  type NotifierRange,
  notifyEventName,
} from '../../src/mm/mirror/mmuNotifier.js';
import { MmCalls } from '../../src/mm/mmCalls.js';
import { forEachPte } from '../../src/mm/mmCensus.js';
import { countPageHolders } from '../../src/mm/pageHolders.js';
import { Mm } from '../../src/mm/process/mm.js';
import { swapViolations } from '../../src/mm/swap/swapCensus.js';
import {
  makePte,
  type Pte,
  PteBit,
  PteKind,
  pteAllows,
  pteFromWord,
  pteHas,
  pteKind,
  ptePfn,
  pteWith,
} from '../../src/mm/table/pte.js';
import type { StepObserver } from '../../src/sim/scheduler.js';
import { type StepId, type Steps, stepDefinition } from '../../src/sim/steps.js';
import { actorId, type Task } from '../../src/sim/task.js';
import { RandomStrategy } from '../../src/sim/virtual/randomStrategy.js';
import { VirtualExecutor } from '../../src/sim/virtual/virtualExecutor.js';

export const NO_COSTS: MmCosts = {
  cpuFaultNs: 0,
  migratePageNs: 0,
  hmmPageNs: 0,
  tlbShootdownNs: 0,
  syscallNs: 0,
};

export interface KernelOptions {
  /** System RAM, with the zero page; 256 unless told. */
  readonly ramPages?: number;
  /** One device zone each; none unless told. */
  readonly vramPages?: readonly number[];
  /** Their kinds; device-private unless told. */
  readonly vramKinds?: readonly ZoneKind[];
  /** CPU threads, each with a TLB that must be shot down; 2 unless told. */
  readonly cpuThreads?: number;
  /** Page-table pages; 256 unless told. */
  readonly tables?: number;
  /** Seed of the schedule; 1 unless told. */
  readonly seed?: number;
  /** 4 unless told, so that ranges of a few pages already have several steps. */
  readonly pagesPerStep?: number;
  readonly costs?: MmCosts;
}

/** A kernel with small memory under its own virtual executor. */
export function makeKernel(options: KernelOptions = {}): Kernel {
  return makeMachine(options).kernel;
}

/** A kernel and what is around it. */
export interface Machine {
  readonly kernel: Kernel;
  readonly calls: MmCalls;
  readonly brackets: readonly AccessBracket[];
}

export function makeMachine(options: KernelOptions = {}): Machine {
  const kindOf = (i: number): ZoneKind => options.vramKinds?.[i] ?? ZoneKind.DevicePrivate;
  const vram = (options.vramPages ?? []).map((pages, i) => ({ pages, kind: kindOf(i) }));
  const layout = new PhysicalLayout({ ramPages: options.ramPages ?? 256, vram });
  const threads = options.cpuThreads ?? 2;
  const bracketBuffer = new SharedArrayBuffer(Math.max(1, threads) * BRACKET_WORDS * 4);
  const brackets = Array.from({ length: threads }, (_, i) => new AccessBracket(bracketBuffer, i));
  const kernel = new Kernel(
    new VirtualExecutor(new RandomStrategy(options.seed ?? 1)),
    PhysicalMemory.allocate(layout),
    FolioTable.allocate(layout),
    TableArena.allocate(options.tables ?? 256),
    brackets,
    options.costs ?? NO_COSTS,
    options.pagesPerStep ?? 4,
  );
  return { kernel, calls: new MmCalls(kernel), brackets };
}

export function executorOf(kernel: Kernel): VirtualExecutor {
  assert(kernel.sched instanceof VirtualExecutor, 'tests of the mm run under the virtual executor');
  return kernel.sched;
}

/** Runs one generator as a task to its end and returns its value; rethrows what it threw, and reports a deadlock. */
export function run<T>(kernel: Kernel, steps: Steps<T>): T {
  return runAll(kernel, [steps])[0];
}

/** Runs generators as concurrent tasks, interleaved by the kernel's schedule, until all have ended. */
export function runAll<T>(kernel: Kernel, bodies: readonly Steps<T>[]): T[] {
  const executor = executorOf(kernel);
  const results: { value: T }[] = [];
  bodies.forEach((body, i) => {
    executor.spawn(actorId(0), `test-${i}`, keep(body, results, i));
  });
  executor.run();
  if (executor.failure !== null) throw executor.failure.cause;
  const stuck = executor
    .stuckTasks()
    .map((task) => `${task.name} waits for ${task.waitingFor?.describeWait(task)}`);
  assert(stuck.length === 0, () => `deadlock: ${stuck.join('; ')}`);
  return results.map(({ value }) => value);
}

function* keep<T>(body: Steps<T>, results: { value: T }[], at: number): Steps<void> {
  const value = yield* body;
  results[at] = { value };
}

/** Spawns without running: for tests that watch a task block. */
export function spawn(kernel: Kernel, name: string, body: Steps<unknown>): Task {
  return kernel.sched.spawn(actorId(0), name, body);
}

/** Runs until nothing can go on, leaving blocked tasks blocked; throws what a task threw. */
export function settle(kernel: Kernel): void {
  const executor = executorOf(kernel);
  executor.run();
  if (executor.failure !== null) throw executor.failure.cause;
}

/** Maps `npages` at `start`, readable and writable unless told, and returns the start. */
export function mapFixed(
  machine: Machine,
  mm: Mm,
  start: number,
  npages: number,
  prot: number = Prot.Read | Prot.Write,
): Vpn {
  const result = run(
    machine.kernel,
    machine.calls.memoryMap.mmap(mm, { hint: vpn(start), npages, prot, flags: MapFlag.Fixed }),
  );
  assert(result === start, `mapFixed got ${result}`);
  return vpn(start);
}

/** `start+npages prot`, one per area, in address order. */
export function areasOf(mm: Mm): string[] {
  return [...mm.vmas].map((vma) => {
    const prot = `${vma.flags & Prot.Read ? 'r' : '-'}${vma.flags & Prot.Write ? 'w' : '-'}${vma.flags & Prot.Exec ? 'x' : '-'}`;
    return `${vma.start}+${vma.pages} ${prot}`;
  });
}

export function pteOf(mm: Mm, page: number): Pte {
  return pteFromWord(mm.pageTable.get(page));
}

/** A CPU thread: loads and stores through a TLB that only a shootdown empties. */
export class TestCpu {
  private readonly tlb = new Map<number, Pte>();
  private generation = -1;

  constructor(
    private readonly machine: Machine,
    private readonly mm: Mm,
    private readonly index = 0,
  ) {}

  /** Word 0 of the page unless told, or the errno of an illegal access. */
  *load(page: number, word = 0): Steps<number> {
    return yield* this.access(vpn(page), false, (at) => this.machine.kernel.memory.words[at + word]);
  }

  /** OK, or the errno of an illegal access. */
  *store(page: number, value: number, word = 0): Steps<Errno> {
    const { words } = this.machine.kernel.memory;
    const store = (at: number): Errno => {
      words[at + word] = value;
      return Errno.OK;
    };
    const result = yield* this.access(vpn(page), true, store);
    return result;
  }

  private *access<T>(page: Vpn, write: boolean, use: (word: number) => T): Steps<T | Errno> {
    const bracket = this.machine.brackets[this.index];
    for (;;) {
      const generation = bracket.enter();
      if (generation !== this.generation) this.tlb.clear();
      this.generation = generation;
      const pte = this.translate(page, write);
      if (pte !== null) {
        const result = use(this.machine.kernel.memory.wordIndex(ptePfn(pte)));
        bracket.exit();
        return result;
      }
      bracket.exit();
      const errno = yield* this.machine.calls.faults.cpuFault(this.mm, page, write);
      if (errno !== Errno.OK) return errno;
    }
  }

  private translate(page: Vpn, write: boolean): Pte | null {
    const needed = PteBit.Young | (write ? PteBit.Dirty : 0);
    const cached = this.tlb.get(page);
    if (cached !== undefined && pteAllows(cached, write) && pteHas(cached, needed)) return cached;
    const pte = pteOf(this.mm, page);
    if (!pteAllows(pte, write)) return null;
    const marked = pteWith(pte, needed);
    if (marked !== pte) this.mm.pageTable.write(this.mm.pageTable.slot(page), marked);
    this.tlb.set(page, marked);
    return marked;
  }
}

/** One event as a recorder saw it. */
export interface SeenEvent {
  readonly event: string;
  readonly start: number;
  readonly npages: number;
}

/** An interval notifier that writes down what it is told, and checks that the old pages are still there. */
export class RecordingNotifier implements IntervalNotifierOps {
  readonly seen: SeenEvent[] = [];
  /** Called inside each callback, for what a test wants to look at or do there. */
  onEvent: ((range: NotifierRange) => Steps<void>) | null = null;
  readonly notifier: IntervalNotifier;

  constructor(kernel: Kernel, mm: Mm, start: number, npages: number) {
    this.notifier = new IntervalNotifier(vpn(start), vpn(start + npages), this);
    const errno = run(kernel, mm.notifiers.insert(this.notifier));
    assert(errno === Errno.OK, 'interval notifier could not be inserted');
  }

  *invalidate(sub: IntervalNotifier, range: NotifierRange, curSeq: number): Steps<boolean> {
    this.seen.push({
      event: notifyEventName(range.event),
      start: range.start,
      npages: range.end - range.start,
    });
    if (this.onEvent !== null) yield* this.onEvent(range);
    sub.setSeq(curSeq);
    return true;
  }

  /** What was seen since the last call, as `EVENT start+npages`. */
  take(): string[] {
    return this.seen.splice(0).map(({ event, start, npages }) => `${event} ${start}+${npages}`);
  }
}

/** The names of the steps taken while it watches. */
export class StepRecorder implements StepObserver {
  readonly names: string[] = [];

  constructor(private readonly kernel: Kernel) {
    kernel.sched.observer = this;
  }

  onStep(_task: Task | null, step: StepId): void {
    this.names.push(stepDefinition(step).name);
  }

  /** The names since the last call, of the rooms given. */
  take(...rooms: string[]): string[] {
    return this.names.splice(0).filter((name) => rooms.length === 0 || rooms.includes(name.split('.')[0]));
  }

  stop(): void {
    this.kernel.sched.observer = null;
  }
}

/** A device that moves single pages in and out by hand, without the migration code: for what the CPU side does with its pages. */
export class TestDevice implements DevPagemapOps {
  readonly pagemap: DevPagemap;
  readonly vram: BuddyAllocator;
  /** What migrateToRam returns instead of doing its work. */
  refuseWith: Errno | null = null;
  /** Runs inside migrateToRam before it does its work. */
  beforeMigrate: ((fault: DeviceFault) => Steps<void>) | null = null;
  migrations = 0;

  constructor(
    private readonly kernel: Kernel,
    index = 0,
  ) {
    const zone = kernel.memory.layout.vramOf(index);
    this.vram = new BuddyAllocator(zone.firstPfn, zone.pages);
    this.pagemap = { zoneId: zone.id, owner: pagemapOwner(100 + index), ops: this };
    kernel.addPagemap(this.pagemap);
  }

  /** Moves a present page to the device at once. */
  takePage(mm: Mm, page: number): Pfn {
    const { folios, memory } = this.kernel;
    const slot = mm.pageTable.slot(page);
    const old = pteFromWord(mm.pageTable.read(slot));
    assert(pteKind(old) === PteKind.Present, 'only a present page can be taken');
    const pfn = this.vram.alloc(0);
    assert(pfn >= 0, 'device is full');
    const to = pfn as Pfn;
    folios.prepareNew(to, 0, 1);
    this.rehome(ptePfn(old), to);
    mm.pageTable.write(slot, makePte(PteKind.DevicePrivate, to, old & PteBit.Write));
    this.kernel.flushCpuTlbs();
    memory.copyPages(to, ptePfn(old), 1);
    folios.removeRmap(ptePfn(old));
    folios.put(ptePfn(old));
    return to;
  }

  *migrateToRam(fault: DeviceFault): Steps<Errno> {
    this.migrations++;
    if (this.beforeMigrate !== null) yield* this.beforeMigrate(fault);
    if (this.refuseWith !== null) return this.refuseWith;
    const { folios, memory } = this.kernel;
    const pte = pteOf(fault.mm, fault.page);
    assert(pteKind(pte) === PteKind.DevicePrivate && ptePfn(pte) === fault.pfn, 'fault on another page');
    const to = this.kernel.allocPage();
    if (to === 0) return Errno.ENOMEM;
    this.rehome(fault.pfn, to);
    memory.copyPages(to, fault.pfn, 1);
    const slot = fault.mm.pageTable.slot(fault.page);
    fault.mm.pageTable.write(slot, makePte(PteKind.Present, to, pte & PteBit.Write));
    folios.setFlag(to, FolioFlag.Lru);
    folios.removeRmap(fault.pfn);
    folios.put(fault.pfn);
    return Errno.OK;
  }

  folioFree(pfn: Pfn): void {
    this.vram.free(pfn, 0);
  }

  private rehome(from: Pfn, to: Pfn): void {
    const { folios } = this.kernel;
    folios.setMapping(to, folios.mapping(from), folios.index(from));
    if (folios.testFlag(from, FolioFlag.AnonExclusive)) folios.setFlag(to, FolioFlag.AnonExclusive);
    folios.addRmap(to);
  }
}

/**
 * Checks that at quiescence references and mappings of every page are exactly what page tables and caches hold, that RAM holds nothing else,
 * and that the entries of the address spaces given are as their areas and pages say.
 */
export function checkAccounting(kernel: Kernel, mms: readonly Mm[]): void {
  const { entries, references, mappings } = countPageHolders(kernel);
  for (const rule of [...checkFiles(kernel, mms, entries), ...checkHugetlb(kernel)]) {
    const { name, ok, detail } = rule.result(() => []);
    assert(ok, () => `${name}: ${detail}`);
  }
  expect(swapViolations(kernel, entries)).toEqual([]);
  for (const mm of mms) forEachPte(mm, (page, pte) => checkEntry(kernel, mm, page, pte));
  const { folios } = kernel;
  let ramPages = kernel.hugetlb.free * PMD_PAGES;
  for (const pfn of references.frames) {
    const count = references.of(pfn);
    const maps = mappings.of(pfn);
    const exact = folios.refcount(pfn) === count && folios.mapcount(pfn) === maps;
    assert(
      exact && !folios.isLocked(pfn),
      () => `${folios.describe(pfn)} has ${count} holders, ${maps} entries`,
    );
    if (kernel.memory.layout.zoneOf(pfn).kind === ZoneKind.System) ramPages += folios.npages(pfn);
  }
  assert(
    kernel.ram.usedPages === ramPages,
    () => `RAM holds ${kernel.ram.usedPages} pages, of which ${ramPages} are somebody's`,
  );
}

/** An entry lies in an area, allows no more than the area, and its page says where it belongs. */
function checkEntry(kernel: Kernel, mm: Mm, page: Vpn, pte: Pte): void {
  const vma = mm.vmas.find(page);
  assert(vma !== null, () => `page ${page} is populated but not mapped`);
  assert(vma.isWritable || !pteAllows(pte, true), () => `page ${page} is writable in a read-only area`);
  assert(
    vma.isAccessible || !pteAllows(pte, false),
    () => `page ${page} is readable in an area without access`,
  );
  assert(pteKind(pte) !== PteKind.Migration, () => `page ${page} still has a migration entry`);
  const pfn = ptePfn(pte);
  if (kernel.isZeroPage(pfn) || pteKind(pte) === PteKind.Swap) return;
  if (!kernel.folios.testFlag(kernel.folios.headOf(pfn), FolioFlag.Anon)) return;
  assert(
    kernel.folios.index(pfn) === vma.indexOf(page),
    () => `page ${page}: reverse map has a wrong offset`,
  );
  assert(
    vma.anonVmaChain.some(({ anonVma }) => anonVma.id === kernel.folios.mapping(pfn)),
    () => `page ${page}: reverse map has a wrong anon_vma`,
  );
}

/** Words of a page, for tests that look at content behind the CPU's back. */
export function wordsOf(kernel: Kernel, pfn: Pfn): Int32Array {
  const at = kernel.memory.wordIndex(pfn);
  return kernel.memory.words.subarray(at, at + PAGE_WORDS);
}

export function makeMm(kernel: Kernel, id = 1): Mm {
  return new Mm(kernel, id);
}
