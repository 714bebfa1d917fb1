/** Turns a recorded program's memory calls into the calls that a replay makes: everything private and anonymous, all at recorded addresses. */

import { pagesFor, type Vpn, vpn } from '../base/units.js';
import type { MmCall, MmEvent, PageProt } from './trace/mmCall.js';
import type { MmProgram } from './trace/mmTrace.js';
import type { TraceFootprint } from './trace/traceFootprint.js';
import { Prot, RemapFlag } from './workload.js';

/** `line` is that of the trace; 0 for what was there before it. */
export type ReplayOp = { readonly line: number } & (
  | { readonly kind: 'map'; readonly start: Vpn; readonly npages: number; readonly prot: number }
  | { readonly kind: 'unmap'; readonly start: Vpn; readonly npages: number }
  | { readonly kind: 'protect'; readonly start: Vpn; readonly npages: number; readonly prot: number }
  /** An access of the program, which faulted when it was recorded. */
  | { readonly kind: 'touch'; readonly start: Vpn; readonly npages: 1; readonly write: boolean }
  /** madvise by which the pages' content goes. */
  | { readonly kind: 'drop'; readonly start: Vpn; readonly npages: number }
  | {
      readonly kind: 'remap';
      readonly from: Vpn;
      readonly fromPages: number;
      readonly to: Vpn;
      readonly toPages: number;
      readonly flags: number;
      readonly keepsOld: boolean;
    }
);

export interface ReplayOps {
  readonly fileName: string;
  readonly ops: readonly ReplayOp[];
  /** Calls of the program that are replayed by an op; what was mapped before the trace is none. */
  readonly calls: number;
  /** Mappings of files and shared mappings, which are private anonymous memory in the replay. */
  readonly madePrivate: number;
  /** Calls that change no content (access hints), or nothing at all (brk that only asks, threads, forks, exits). */
  readonly withoutEffect: number;
  /** Calls that failed when they were recorded: they changed nothing, and what made them fail is not in the trace. */
  readonly skippedFailures: number;
  /** Calls of which the trace does not say what they did; they may have mapped memory that the replay lacks. */
  readonly withoutResult: number;
  /** Other processes, and threads that cannot be told from them, of which no call is replayed. */
  readonly otherPids: number;
}

/** Preexisting pages come first. */
export function replayOps(program: MmProgram, footprint: TraceFootprint): ReplayOps {
  const translation = new Translation(program.fileName, program.dropped.pids.length, program.withoutResult);
  for (const { start, end } of footprint.preexisting) translation.mapPreexisting(start, end - start);
  for (const event of program.events) translation.add(event);
  return translation;
}

class Translation implements ReplayOps {
  readonly ops: ReplayOp[] = [];
  calls = 0;
  madePrivate = 0;
  withoutEffect = 0;
  skippedFailures = 0;
  private breakBytes: number | null = null;

  constructor(
    readonly fileName: string,
    readonly otherPids: number,
    readonly withoutResult: number,
  ) {}

  mapPreexisting(start: Vpn, npages: number): void {
    this.ops.push({ kind: 'map', line: 0, start, npages, prot: Prot.Read | Prot.Write });
  }

  add(event: MmEvent): void {
    if (event.errno !== null) {
      this.skippedFailures++;
      return;
    }
    const op = this.translate(event.line, event.call);
    if (op === null) return;
    if (op.kind !== 'touch') this.calls++;
    this.ops.push(op);
  }

  private translate(line: number, call: MmCall): ReplayOp | null {
    switch (call.kind) {
      case 'mmap':
        return this.translateMmap(line, call);
      case 'munmap':
        return { kind: 'unmap', line, start: call.start, npages: call.npages };
      case 'mprotect':
        return this.translateMprotect(line, call);
      case 'madvise':
        return this.translateMadvise(line, call);
      case 'mremap':
        return this.translateMremap(line, call);
      case 'touch':
        return { kind: 'touch', line, start: call.page, npages: 1, write: call.write };
      case 'brk':
        return this.translateBrk(line, call.breakBytes);
      default:
        return this.noEffect();
    }
  }

  private translateMmap(line: number, call: MmCall & { kind: 'mmap' }): ReplayOp | null {
    if (call.result === null) return this.noEffect();
    if (!call.flags.anonymous || call.flags.shared) this.madePrivate++;
    return { kind: 'map', line, start: call.result, npages: call.npages, prot: protBits(call.prot) };
  }

  private translateMprotect(line: number, call: MmCall & { kind: 'mprotect' }): ReplayOp | null {
    const { start, npages, prot } = call;
    return npages === 0 ? this.noEffect() : { kind: 'protect', line, start, npages, prot: protBits(prot) };
  }

  /** MADV_FREE may drop at any time until the next store, so dropping at once is a legal outcome; the replay needs a certain one. */
  private translateMadvise(line: number, call: MmCall & { kind: 'madvise' }): ReplayOp | null {
    const { advice, start, npages } = call;
    const drops = advice === 'dontneed' || advice === 'dontneed_locked' || advice === 'free';
    return drops && npages > 0 ? { kind: 'drop', line, start, npages } : this.noEffect();
  }

  private translateMremap(line: number, call: MmCall & { kind: 'mremap' }): ReplayOp | null {
    // Of nothing: a second mapping of shared pages, of which there are none here; a mapping of its own takes its place.
    if (call.result === null) return this.noEffect();
    if (call.fromPages === 0) {
      this.madePrivate++;
      return { kind: 'map', line, start: call.result, npages: call.toPages, prot: Prot.Read | Prot.Write };
    }
    const moves = call.result !== call.from;
    const flags = call.flags.dontUnmap ? RemapFlag.DontUnmap : 0;
    return {
      kind: 'remap',
      line,
      from: call.from,
      fromPages: call.fromPages,
      to: call.result,
      toPages: call.toPages,
      flags: moves ? flags | RemapFlag.MayMove | RemapFlag.Fixed : flags,
      keepsOld: call.flags.dontUnmap,
    };
  }

  /** The heap is where the recorded program had it, and several programs may run in one address space: brk becomes mmap and munmap. */
  private translateBrk(line: number, breakBytes: number): ReplayOp | null {
    const from = pagesFor(this.breakBytes ?? breakBytes);
    const to = pagesFor(breakBytes);
    this.breakBytes = breakBytes;
    if (to > from) {
      return { kind: 'map', line, start: vpn(from), npages: to - from, prot: Prot.Read | Prot.Write };
    }
    return to < from ? { kind: 'unmap', line, start: vpn(to), npages: from - to } : this.noEffect();
  }

  private noEffect(): null {
    this.withoutEffect++;
    return null;
  }
}

function protBits({ read, write, exec }: PageProt): number {
  return (read ? Prot.Read : 0) | (write ? Prot.Write : 0) | (exec ? Prot.Exec : 0);
}
