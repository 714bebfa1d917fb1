/** How much address space a recorded program uses, and what must be mapped before its first call can be replayed. */

import { pagesFor } from '../../base/units.js';
import type { MmCallKind, MmEvent } from './mmCall.js';
import type { MmProgram } from './mmTrace.js';
import { type PageInterval, PageIntervals } from './pageIntervals.js';

export interface TraceFootprint {
  /** Every page that is mapped at some time, `preexisting` included; sorted, disjoint, not touching. */
  readonly everMapped: readonly PageInterval[];
  /** Most pages mapped at one time, whatever their protection, `preexisting` included. */
  readonly peakPages: number;
  /**
   * Pages that a call refers to before any call maps them: the program's own segments, the dynamic linker, or what was there when the
   * recording began. Sorted, disjoint. Mapping them first makes the calls that refer to them succeed, and is in no other call's way.
   */
  readonly preexisting: readonly PageInterval[];
  /** Null when the program never asks for its break. */
  readonly heap: TraceHeap | null;
  /** Calls by kind, failed ones included. */
  readonly calls: Readonly<Record<MmCallKind, number>>;
  readonly failedCalls: number;
}

/** Byte addresses. */
export interface TraceHeap {
  /** The lowest break of the trace: where the heap must start for every brk to succeed. */
  readonly startBytes: number;
  /** The break before the trace's first change of it; equals `startBytes` where the trace begins with the program. */
  readonly initialBreakBytes: number;
}

/** Failed calls count, and change nothing. */
export function traceFootprint(program: MmProgram): TraceFootprint {
  const walk = new FootprintWalk();
  for (const event of program.events) walk.apply(event);
  return walk.footprint();
}

class FootprintWalk {
  private readonly mapped = new PageIntervals();
  private readonly everMapped = new PageIntervals();
  private readonly preexisting = new PageIntervals();
  private readonly calls: Record<MmCallKind, number> = {
    mmap: 0,
    munmap: 0,
    mprotect: 0,
    madvise: 0,
    mremap: 0,
    brk: 0,
    touch: 0,
    fork: 0,
    vfork: 0,
    thread: 0,
    exec: 0,
    exit: 0,
  };
  private failedCalls = 0;
  private breakBytes: number | null = null;
  private heap: TraceHeap | null = null;
  /** Most pages mapped at one time, without those preexisting pages that had not been found by then. */
  private peakWithoutUnfound = 0;

  apply(event: MmEvent): void {
    this.calls[event.call.kind]++;
    if (event.errno === null) this.applyCall(event);
    else this.failedCalls++;
    this.peakWithoutUnfound = Math.max(this.peakWithoutUnfound, this.mapped.size - this.preexisting.size);
  }

  footprint(): TraceFootprint {
    return {
      everMapped: this.everMapped.toArray(),
      peakPages: this.peakWithoutUnfound + this.preexisting.size,
      preexisting: this.preexisting.toArray(),
      heap: this.heap,
      calls: this.calls,
      failedCalls: this.failedCalls,
    };
  }

  private applyCall({ call }: MmEvent): void {
    switch (call.kind) {
      case 'mmap':
        if (call.result !== null) this.map(call.result, call.result + call.npages);
        return;
      case 'munmap':
        this.unmap(call.start, call.start + call.npages);
        return;
      case 'mprotect':
      case 'madvise':
        this.refer(call.start, call.start + call.npages);
        return;
      case 'mremap':
        if (call.flags.dontUnmap) this.refer(call.from, call.from + call.fromPages);
        else this.unmap(call.from, call.from + call.fromPages);
        if (call.result !== null) this.map(call.result, call.result + call.toPages);
        return;
      case 'touch':
        this.refer(call.page, call.page + 1);
        return;
      case 'brk':
        this.moveBreak(call.breakBytes);
        return;
      default:
        return;
    }
  }

  private moveBreak(toBytes: number): void {
    const from = pagesFor(this.breakBytes ?? toBytes);
    const to = pagesFor(toBytes);
    if (to > from) this.map(from, to);
    else this.unmap(to, from);
    this.breakBytes = toBytes;
    this.heap = {
      startBytes: Math.min(this.heap?.startBytes ?? toBytes, toBytes),
      initialBreakBytes: this.heap?.initialBreakBytes ?? toBytes,
    };
  }

  private map(start: number, end: number): void {
    this.mapped.add(start, end);
    this.everMapped.add(start, end);
  }

  private unmap(start: number, end: number): void {
    this.refer(start, end);
    this.mapped.remove(start, end);
  }

  /** Pages that the trace itself has mapped before, even if they are gone, cannot have been there from the beginning. */
  private refer(start: number, end: number): void {
    for (const gap of this.everMapped.gaps(start, end)) {
      this.preexisting.add(gap.start, gap.end);
      this.map(gap.start, gap.end);
    }
  }
}
