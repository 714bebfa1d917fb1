/** Wakes an actor's worker when it sleeps: a counter in shared memory that senders bump after they have written to its rings. */

const COUNT = 0;
const SLEEPING = 1;
/** In the first line of the buffer, which is no doorbell: actors that run, or that have been woken and will as soon as they get a core. */
const AWAKE = 0;

/** Shared words per doorbell; a cache line of its own, so that a ring for one actor does not slow another. */
export const DOORBELL_WORDS = 16;

export class Doorbell {
  private readonly words: Int32Array;
  private readonly common: Int32Array;

  constructor(buffer: SharedArrayBuffer, index: number) {
    this.common = new Int32Array(buffer, 0, DOORBELL_WORDS);
    this.words = new Int32Array(buffer, (1 + index) * DOORBELL_WORDS * 4, DOORBELL_WORDS);
  }

  static bytesFor(count: number): number {
    return (1 + count) * DOORBELL_WORDS * 4;
  }

  /** Any thread: what {@link knock} and {@link wakeOwner} do. */
  ring(): void {
    if (this.knock()) this.wakeOwner();
  }

  /** Any thread. An owner who is awake will see it, and does not fall asleep over it; true when he sleeps, and {@link wakeOwner} must follow. */
  knock(): boolean {
    Atomics.add(this.words, COUNT, 1);
    return this.isOwnerAsleep;
  }

  /**
   * Any thread. The system call, which costs tens of microseconds, is made by one of those who ring only. Who is woken counts as awake from
   * here on: those that spin must see that a core is wanted before he can run on it.
   */
  wakeOwner(): void {
    if (Atomics.compareExchange(this.words, SLEEPING, 1, 0) === 0) return;
    Atomics.add(this.common, AWAKE, 1);
    // Who was left asleep may have been up since, and be about to sleep again on what he has counted: then he does not.
    Atomics.add(this.words, COUNT, 1);
    Atomics.notify(this.words, COUNT);
  }

  /** Any thread. What was written to his rings before this was asked he will find before he does anything else. */
  get isOwnerAsleep(): boolean {
    return Atomics.load(this.words, SLEEPING) !== 0;
  }

  /** Owner: the count to compare with later; read before looking into the rings. */
  count(): number {
    return Atomics.load(this.words, COUNT);
  }

  /**
   * Owner: the count as it may have been a moment ago, for a fraction of what {@link count} costs: a builtin call on this engine. Who polls often
   * sees a ring soon, and sleeps only after {@link count} has told it that there was none.
   */
  peek(): number {
    return this.words[COUNT];
  }

  /** Owner: from now on it counts among those awake; {@link leave} ends that. */
  join(): void {
    Atomics.add(this.common, AWAKE, 1);
  }

  leave(): void {
    Atomics.sub(this.common, AWAKE, 1);
  }

  /** Actors that run or spin now, or are about to. */
  get awake(): number {
    return Atomics.load(this.common, AWAKE);
  }

  /** Owner: sleeps until the count differs from `seen`, or `timeoutMs` passed. */
  wait(seen: number, timeoutMs: number): void {
    this.leave();
    Atomics.store(this.words, SLEEPING, 1);
    Atomics.wait(this.words, COUNT, seen, timeoutMs);
    // Nobody has woken this thread, or counted it.
    if (Atomics.compareExchange(this.words, SLEEPING, 1, 0) === 1) this.join();
  }
}
