/** One thread of a case: the processes it knows, their buffers, and where it writes down what steps gave. */

import { Errno } from '../../base/errno.js';
import { alignUp, PMD_PAGES, type Vpn, vpn } from '../../base/units.js';
import { type StepResult, withRound } from '../../case/stepResult.js';
import type { Steps } from '../../sim/steps.js';
import { bufferBase, type HostContext } from '../workload.js';
import type { CaseDriver } from '../workloadConfig.js';

/** The process of steps that name none. */
export const MAIN_PROCESS = 'p0';
const MAIN_MM = 1;

/** Where a name of the case stands for memory. */
export interface CaseBuffer {
  readonly start: Vpn;
  readonly pages: number;
  /** All buffers of its process were unmapped at once: the name stands for addresses at which nothing is. */
  readonly isGone?: true;
}

/** Plain data, so that it can be handed to another thread. */
export interface CaseProcess {
  readonly mm: number;
  readonly buffers: Map<string, CaseBuffer>;
  /** Where the next buffer that a thread maps begins; each has a part of the address space of its own, so that none waits for others. */
  readonly nextStarts: Map<number, Vpn>;
}

/** A step that failed although no expectation names it. */
export interface BrokenStep {
  readonly op: string;
  readonly found: string;
}

/** A part of a buffer. */
export interface CaseSpan {
  readonly page: Vpn;
  readonly npages: number;
  /** First page, counted from the start of the buffer: patterns count from there. */
  readonly firstPage: number;
}

/** A case that asks for what there is not, such as a buffer that no step mapped: the case is wrong, not the memory. */
export class CaseMisuse extends Error {
  override readonly name: string = 'CaseMisuse';
}

/** Another branch has ended the process meanwhile: its further steps are not carried out, as those of a killed task. */
export class ProcessEnded extends CaseMisuse {
  override readonly name = 'ProcessEnded';

  constructor(process: string) {
    super(`process ${process} has ended`);
  }
}

export class CaseThread {
  readonly processes = new Map<string, CaseProcess>();
  /** Numbers of open files, by name; all processes share them. */
  readonly files = new Map<string, number>();
  /** By label. */
  readonly results: Record<string, StepResult> = Object.create(null);
  /** Handles of buffer objects by name. */
  readonly bos = new Map<string, number>();
  /** How large each buffer object of the case must be. */
  boPages: ReadonlyMap<string, number> = new Map();
  /** What the readers of polling kernels have left. */
  readonly readerResults: number[] = [];
  /** The address space that the thread runs in now. Not a name: that of a process that ended may be given again. */
  private currentMm = MAIN_MM;
  /** The process of steps that name none. */
  home = MAIN_PROCESS;
  /** The first step that failed although no expectation can look at it; nothing is carried out after it. */
  broken: BrokenStep | null = null;
  /** The first of the threads that blocks of its steps may use. */
  firstFree = 1;
  /** Rounds of the `repeat` steps around, for `$i`. */
  round = 0;

  constructor(
    readonly host: HostContext,
    readonly driver: CaseDriver,
    private readonly index: number,
  ) {
    this.processes.set(MAIN_PROCESS, { mm: MAIN_MM, buffers: new Map(), nextStarts: new Map() });
  }

  /** What a step with this label gave; it may run again. */
  note(label: string, result: StepResult): void {
    this.results[label] = withRound(this.results[label], result);
  }

  /** Makes the thread run the process that a step names. @throws ProcessEnded */
  *enter(named: string | undefined): Steps<CaseProcess> {
    const name = named ?? this.home;
    const process = this.process(name);
    if (process.mm !== this.currentMm || this.mayEnd(process)) {
      const errno = yield* this.host.enterProcess(process.mm);
      if (errno !== Errno.OK) throw new ProcessEnded(name);
      this.currentMm = process.mm;
    }
    return process;
  }

  /** Whether another branch has ended the process of a step, perhaps while the step was carried out. */
  *hasEnded(named: string | undefined): Steps<boolean> {
    const process = this.processes.get(this.expand(named ?? this.home));
    if (process === undefined || !this.mayEnd(process)) return false;
    return (yield* this.host.enterProcess(process.mm)) !== Errno.OK;
  }

  /** Under the steps of a branch: the first thread waits while others run, and the first process lives as long as the case. */
  private mayEnd({ mm }: CaseProcess): boolean {
    return this.index > 0 && mm !== MAIN_MM;
  }

  /** Goes where no step of another thread can end the process under this one. */
  *leave(): Steps<void> {
    yield* this.enter(MAIN_PROCESS);
  }

  /** @throws CaseMisuse */
  process(name: string): CaseProcess {
    const process = this.processes.get(this.expand(name));
    if (process === undefined) throw new CaseMisuse(`there is no process ${this.expand(name)}`);
    return process;
  }

  /** @throws CaseMisuse */
  buffer(process: CaseProcess, name: string): CaseBuffer {
    const buffer = process.buffers.get(this.expand(name));
    if (buffer === undefined) throw new CaseMisuse(`there is no buffer ${this.expand(name)}`);
    return buffer;
  }

  /** Without `pages` to the end of the buffer. @throws CaseMisuse */
  span(
    process: CaseProcess,
    { buf, off, pages }: { buf: string; off: number; pages?: number | undefined },
  ): CaseSpan {
    const buffer = this.buffer(process, buf);
    if (pages === undefined && off >= buffer.pages)
      throw new CaseMisuse(`buffer ${this.expand(buf)} has ${buffer.pages} pages, and none at ${off}`);
    return {
      page: vpn(buffer.start + off),
      npages: pages ?? buffer.pages - off,
      firstPage: off,
    };
  }

  /** The number of a file that a step has created. @throws CaseMisuse */
  file(name: string | undefined): number {
    const file = name === undefined ? undefined : this.files.get(this.expand(name));
    if (file === undefined) throw new CaseMisuse(`there is no file ${name ?? 'without a name'}`);
    return file;
  }

  addBuffer(process: CaseProcess, name: string, start: Vpn, pages: number): void {
    process.buffers.set(this.expand(name), { start, pages });
  }

  /** Those that `munmap_all` has left, in the order in which they were mapped. */
  mappedBuffers(process: CaseProcess): CaseBuffer[] {
    return [...process.buffers.values()].filter(({ isGone }) => isGone === undefined);
  }

  /** A place of its own for a buffer, aligned so that the largest pages fit, with a hole before the next one. */
  reserve(process: CaseProcess, pages: number, alignPages: number): Vpn {
    const align = Math.max(PMD_PAGES, alignPages);
    const start = vpn(alignUp(this.unused(process), align));
    process.nextStarts.set(this.index, vpn(alignUp(start + pages + 1, PMD_PAGES)));
    return start;
  }

  /** An address at which nothing of the process lies yet. */
  unused(process: CaseProcess): Vpn {
    return process.nextStarts.get(this.index) ?? bufferBase(this.index);
  }

  /** @throws CaseMisuse where the name stands for a process already. */
  requireNoProcess(name: string): void {
    if (this.processes.has(this.expand(name))) throw new CaseMisuse(`process ${this.expand(name)} exists`);
  }

  /** A new process with the same buffers at the same addresses. */
  addProcess(name: string, parent: CaseProcess, mm: number): void {
    const { buffers, nextStarts } = parent;
    this.processes.set(this.expand(name), { mm, buffers: new Map(buffers), nextStarts: new Map(nextStarts) });
  }

  /** `$i` in a name is the round of the repetition. */
  expand(name: string): string {
    return name.replaceAll('$i', String(this.round));
  }

  /** Index of a device by its name. @throws CaseMisuse for one that the machine has not. */
  device(name: string): number {
    const device = Number(name.slice('gpu'.length));
    if (!(device >= 0 && device < this.host.deviceCount)) throw new CaseMisuse(`there is no ${name}`);
    return device;
  }
}
