/** A ring of events in shared memory with one writer and one reader, neither of which ever waits: what does not fit is counted. */

import { assert } from '../../base/assert.js';

/** Doubles in one ring; a power of two. 8 MiB. */
export const TRACE_RING_WORDS = 1 << 20;
const MASK = TRACE_RING_WORDS - 1;

const HEAD = 0;
const TAIL = 1;
const DROPPED = 2;
const EVENTS = 3;
/** Where the next event begins, known to the writer alone until {@link TraceRing.take} may trust it: at the end. */
const WRITTEN = 4;
/** Of the events, those that only say what a number in others stands for. */
const TEXTS = 5;
/** Events that become visible together, a power of two: an atomic store of each would cost as much as its words. */
const EVENTS_PER_PUBLISH = 16;
/** A cache line, so that the rings of two threads do not share one. */
const HEADER_BYTES = 64;

export const TRACE_RING_BYTES = HEADER_BYTES + TRACE_RING_WORDS * 8;

export class TraceRing {
  private readonly header: Int32Array;
  private readonly words: Float64Array;
  /** The writer's own copy of the head; positions count up and wrap at 2^32. */
  private next: number;
  /** Where the reader was when the writer last looked: it only moves on. */
  private knownTail: number;

  constructor(buffer: SharedArrayBuffer, index: number) {
    const offset = index * TRACE_RING_BYTES;
    this.header = new Int32Array(buffer, offset, HEADER_BYTES / 4);
    this.words = new Float64Array(buffer, offset + HEADER_BYTES, TRACE_RING_WORDS);
    this.next = Atomics.load(this.header, WRITTEN);
    this.knownTail = Atomics.load(this.header, TAIL);
  }

  static bytesFor(rings: number): number {
    return rings * TRACE_RING_BYTES;
  }

  /** Whether `count` words fit. */
  reserve(count: number): boolean {
    if (this.free() >= count) return true;
    this.knownTail = Atomics.load(this.header, TAIL);
    return this.free() >= count;
  }

  /** An event that the writer gives up. */
  drop(): void {
    Atomics.add(this.header, DROPPED, 1);
    // What is whole must not wait for events that find no room.
    Atomics.store(this.header, HEAD, this.header[WRITTEN]);
  }

  /** A word of an event, within what was reserved; the reader sees it after {@link publish}. */
  push(word: number): void {
    this.words[this.next & MASK] = word;
    this.next = (this.next + 1) | 0;
  }

  /**
   * A whole event: of head, time and arguments the first `count`, with {@link EVENT_WORDS_MAX} words reserved. All are stored,
   * which takes no branch; the next event overwrites those beyond its end.
   */
  write(count: number, head: number, timeNs: number, a: number, b: number, c: number, d: number): void {
    const { words, next } = this;
    words[next & MASK] = head;
    words[(next + 1) & MASK] = timeNs;
    words[(next + 2) & MASK] = a;
    words[(next + 3) & MASK] = b;
    words[(next + 4) & MASK] = c;
    words[(next + 5) & MASK] = d;
    this.next = (next + count) | 0;
    this.publish();
  }

  /** One event that is whole now. */
  publish(): void {
    const { header } = this;
    const events = header[EVENTS] + 1;
    header[EVENTS] = events;
    header[WRITTEN] = this.next;
    if ((events & (EVENTS_PER_PUBLISH - 1)) === 0) Atomics.store(header, HEAD, this.next);
  }

  /** The same for a text, which is no event of its own. */
  publishText(): void {
    this.header[TEXTS]++;
    this.publish();
  }

  /** The reader's call while the writer writes: a copy of all that is visible, and was not taken before. */
  take(): Float64Array {
    return this.takeUpTo(Atomics.load(this.header, HEAD));
  }

  /** The reader's call once the writer has ended, or on the writer's own thread: a copy of all whole events that were not taken before. */
  takeAll(): Float64Array {
    return this.takeUpTo(Atomics.load(this.header, WRITTEN));
  }

  private takeUpTo(head: number): Float64Array {
    const tail = this.header[TAIL];
    // Behind the tail where all has been taken before it was visible.
    const count = Math.max(0, (head - tail) | 0);
    assert(count <= TRACE_RING_WORDS, 'a trace ring with more in it than it holds');
    const taken = new Float64Array(count);
    const start = tail & MASK;
    const beforeEnd = Math.min(count, TRACE_RING_WORDS - start);
    taken.set(this.words.subarray(start, start + beforeEnd));
    taken.set(this.words.subarray(0, count - beforeEnd), beforeEnd);
    if (count > 0) Atomics.store(this.header, TAIL, head);
    return taken;
  }

  get dropped(): number {
    return Atomics.load(this.header, DROPPED) >>> 0;
  }

  /** Events that were written, without texts. */
  get events(): number {
    return (Atomics.load(this.header, EVENTS) - Atomics.load(this.header, TEXTS)) >>> 0;
  }

  private free(): number {
    return TRACE_RING_WORDS - ((this.next - this.knownTail) | 0);
  }
}
