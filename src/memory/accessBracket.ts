/** Brackets around a CPU thread's memory accesses in shared memory, so that a TLB shootdown can wait until none uses an old translation. */

import { assert } from '../base/assert.js';

const GENERATION = 0;
const INSIDE = 1;
const WAITERS = 2;
const REVOKED = 3;

/** Shared words per CPU thread: one cache line. */
export const BRACKET_WORDS = 16;

const SPINS = 2_000;
const WAIT_SLICE_MS = 1;

/**
 * The thread stores "inside" and then loads the generation; the shootdown bumps the generation and then loads "inside". Both are
 * sequentially consistent, so one of the two sees the other: either the thread flushes its TLB, or the shootdown waits for it to leave.
 */
export class AccessBracket {
  private readonly words: Int32Array;

  constructor(
    buffer: SharedArrayBuffer,
    private readonly index: number,
    /** One thread has both ends of it, so that whoever is inside when it is flushed would never leave. */
    private readonly isAlone = false,
  ) {
    this.words = new Int32Array(buffer, index * BRACKET_WORDS * 4, BRACKET_WORDS);
  }

  static bytesFor(count: number): number {
    return count * BRACKET_WORDS * 4;
  }

  /** Thread: begins accesses; the returned generation differs from the last one if cached translations must go. */
  enter(): number {
    Atomics.store(this.words, INSIDE, 1);
    return Atomics.load(this.words, GENERATION);
  }

  /** What {@link enter} would return. */
  get generation(): number {
    return Atomics.load(this.words, GENERATION);
  }

  /** Thread: no access uses a translation looked up before this. */
  exit(): void {
    Atomics.store(this.words, INSIDE, 0);
    if (Atomics.load(this.words, WAITERS) !== 0) Atomics.notify(this.words, INSIDE);
  }

  /** Whether the process that the thread runs has ended: to be asked when the generation has changed. */
  get isRevoked(): boolean {
    return Atomics.load(this.words, REVOKED) !== 0;
  }

  /** On return the thread uses no page table any more: it has none until {@link grant}. @kernel leave_mm */
  revoke(): void {
    Atomics.store(this.words, REVOKED, 1);
    this.flush();
  }

  /** The thread, which waits for this, runs another process. */
  grant(): void {
    Atomics.store(this.words, REVOKED, 0);
  }

  /** Shootdown: on return no access through a translation looked up before the call exists. @kernel flush_tlb_mm_range */
  flush(): void {
    Atomics.add(this.words, GENERATION, 1);
    const isLeft = !this.isAlone || Atomics.load(this.words, INSIDE) === 0;
    assert(
      isLeft,
      () => `cpu${this.index} holds memory while others take steps: it must release() it before it waits`,
    );
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.load(this.words, INSIDE) === 0) return;
    }
    // The thread may have been descheduled inside its bracket; brackets are short and never wait, so this ends.
    Atomics.add(this.words, WAITERS, 1);
    while (Atomics.load(this.words, INSIDE) !== 0) Atomics.wait(this.words, INSIDE, 1, WAIT_SLICE_MS);
    Atomics.sub(this.words, WAITERS, 1);
  }
}
