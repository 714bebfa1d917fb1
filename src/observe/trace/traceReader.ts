/** Reads the events of a trace in order of time, all threads together, without an object for each. */

import { STEP_FIELDS_MAX } from '../../sim/steps.js';
import type { CatalogedStep } from '../stepCatalog.js';
import { ownStepOf } from './ownStep.js';
import type { Trace } from './trace.js';
import { EVENT_WORDS, EventHead, TraceKind, textWords, WaitKind } from './traceWords.js';

/** One event; the same object is used for all, so it must not be kept. */
export class TraceEvent {
  readonly head = new EventHead();
  /** From the first event of the trace on. */
  timeNs = 0;
  readonly args = new Float64Array(1 + STEP_FIELDS_MAX);
}

/** Where one ring's words have been read to. */
class RingCursor {
  readonly event = new TraceEvent();
  readonly texts: string[] = [''];
  isAtEnd = false;
  private chunk = 0;
  private at = 0;

  constructor(private readonly chunks: readonly Float64Array[]) {
    this.advance();
  }

  /** To the next event that is not a text. */
  advance(): void {
    const { event } = this;
    for (;;) {
      if (!this.hasMore()) {
        this.isAtEnd = true;
        return;
      }
      event.head.unpack(this.next());
      event.timeNs = this.next();
      if (event.head.kind !== TraceKind.Text) break;
      this.readText();
    }
    for (let i = 0; i < event.head.args; i++) event.args[i] = this.next();
  }

  private hasMore(): boolean {
    while (this.chunk < this.chunks.length && this.at === this.chunks[this.chunk].length) {
      this.chunk++;
      this.at = 0;
    }
    return this.chunk < this.chunks.length;
  }

  /** An event may lie in two chunks. */
  private next(): number {
    if (!this.hasMore()) throw new Error('the trace ends within an event');
    return this.chunks[this.chunk][this.at++];
  }

  private readText(): void {
    const number = this.next();
    const bytes = this.next();
    const packed = new Float64Array(textWords(bytes) - EVENT_WORDS);
    for (let i = 0; i < packed.length; i++) packed[i] = this.next();
    this.texts[number] = new TextDecoder().decode(new Uint8Array(packed.buffer, 0, bytes));
  }
}

/** What a task waits for. */
export interface TracedWait {
  /** In words: `mmap_lock of mm 1 for write`. */
  readonly reason: string;
  readonly isLock: boolean;
  /** Name of the task in its way; null where that is not known. */
  readonly holder: string | null;
}

/** What a reader is told. */
export interface TraceVisitor {
  /** A named step; `step` is its number in `Trace.steps`. `event` is valid only within the call. */
  onStep(event: TraceEvent, step: number, task: string): void;
  onBlocked(event: TraceEvent, task: string, wait: TracedWait): void;
  onWoken(event: TraceEvent, task: string): void;
  onSpawned(event: TraceEvent, task: string): void;
  /** A step of a user's own code; `args` are as many as it has fields. */
  onOwnStep?(event: TraceEvent, step: CatalogedStep, args: Float64Array, task: string): void;
}

/** Tells a visitor every event in order of time. */
export function readTrace(trace: Trace, visitor: TraceVisitor): void {
  const cursors = trace.rings.map((chunks) => new RingCursor(chunks)).filter(({ isAtEnd }) => !isAtEnd);
  const startNs = Math.min(...cursors.map(({ event }) => event.timeNs));
  while (cursors.length > 0) {
    const cursor = earliest(cursors);
    cursor.event.timeNs -= startNs;
    tell(cursor, visitor);
    cursor.advance();
    if (cursor.isAtEnd) cursors.splice(cursors.indexOf(cursor), 1);
  }
}

/** There are as many as actors: a scan costs less than a heap. */
function earliest(cursors: readonly RingCursor[]): RingCursor {
  let first = cursors[0];
  for (let i = 1; i < cursors.length; i++) {
    if (cursors[i].event.timeNs < first.event.timeNs) first = cursors[i];
  }
  return first;
}

function tell({ event, texts }: RingCursor, visitor: TraceVisitor): void {
  const { kind, name } = event.head;
  const task = texts[name] ?? '';
  switch (kind) {
    case TraceKind.Blocked:
      visitor.onBlocked(event, task, waitOf(event, texts));
      break;
    case TraceKind.Woken:
      visitor.onWoken(event, task);
      break;
    case TraceKind.Spawned:
      visitor.onSpawned(event, task);
      break;
    case TraceKind.Own:
      visitor.onOwnStep?.(event, ownStepOf(texts[event.args[0]] ?? ''), event.args.subarray(1), task);
      break;
    default:
      visitor.onStep(event, kind, task);
  }
}

function waitOf({ args }: TraceEvent, texts: readonly string[]): TracedWait {
  const [reason, kind, holder, holderName] = args;
  return {
    reason: texts[reason] ?? '',
    isLock: kind === WaitKind.Lock,
    holder: holder === 0 ? null : (texts[holderName] ?? `task ${holder}`),
  };
}
