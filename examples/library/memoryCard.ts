/**
 * A driver of one's own: a card that reads a process's memory without copying it first, as a network card with on-demand paging does.
 *
 * `register` says which pages the card may read, `sum` makes it read them. The card keeps the frames that HMM told it until the driver's own
 * invalidation takes them away: what it reads must be what the process could read at that moment.
 */

import {
  type DriverServices,
  Errno,
  HmmPfnFlag,
  hmmPfnAt,
  hmmPfnToPfn,
  IntervalNotifier,
  type IntervalNotifierOps,
  type IoctlCall,
  type IoctlReply,
  type IoctlTable,
  ioctlReply,
  LockClass,
  type Mm,
  NO_OWNER,
  type NotifierRange,
  OWN_REQUEST_FIRST,
  type OwnDriver,
  PAGE_WORDS,
  RwLock,
  type Steps,
} from 'svmsim';

export const CardRequest = {
  /** The card may read the span from now on. One span per process. */
  register: OWN_REQUEST_FIRST,
  /** Adds up the first word of each page of the span; replies a = the sum. */
  sum: OWN_REQUEST_FIRST + 1,
} as const;

/** What is left out in a driver with a mistake in it; the card is correct with none. */
export interface CardMistakes {
  /** What HMM told is used although something was invalidated meanwhile. */
  readonly skipsRetry?: boolean;
}

const cardLock = new LockClass('card lock');

/** One span of one process. */
class Region implements IntervalNotifierOps {
  /** Read: the card uses the frames. Write: the invalidation takes them away. */
  readonly lock: RwLock;
  readonly notifier: IntervalNotifier;
  /** Frames by page of the span; null when the card has to ask again. Guarded by the lock. */
  frames: Uint32Array | null = null;

  constructor(
    { kernel }: DriverServices,
    readonly mm: Mm,
    { page, npages }: IoctlCall,
  ) {
    this.lock = new RwLock(kernel.sched, 'card lock', cardLock);
    this.notifier = new IntervalNotifier(page, (page + npages) as typeof page, this);
  }

  /** The driver's own invalidation: whatever happened to a part of the span, the card forgets all of it. */
  *invalidate(sub: IntervalNotifier, _range: NotifierRange, seq: number): Steps<boolean> {
    yield* this.lock.write();
    sub.setSeq(seq);
    this.frames = null;
    this.lock.writeUnlock();
    return true;
  }
}

export class MemoryCard implements OwnDriver {
  private readonly regions = new Map<Mm, Region>();

  constructor(
    private readonly services: DriverServices,
    private readonly mistakes: CardMistakes = {},
  ) {}

  register(ioctls: IoctlTable): void {
    ioctls.register(CardRequest.register, (call) => this.registerSpan(call));
    ioctls.register(CardRequest.sum, (call) => this.sum(call));
  }

  notifiersOf(mm: Mm): number {
    return this.regions.has(mm) ? 1 : 0;
  }

  /** A process that ends takes its subscriptions along. */
  *closeAll(mm: Mm): Steps<void> {
    const region = this.regions.get(mm);
    if (region === undefined) return;
    this.regions.delete(mm);
    yield* mm.notifiers.remove(region.notifier);
  }

  private *registerSpan(call: IoctlCall): Steps<IoctlReply> {
    if (this.regions.has(call.mm)) return ioctlReply(Errno.EBUSY);
    const region = new Region(this.services, call.mm, call);
    this.regions.set(call.mm, region);
    return ioctlReply(yield* call.mm.notifiers.insert(region.notifier));
  }

  private *sum({ mm }: IoctlCall): Steps<IoctlReply> {
    const region = this.regions.get(mm);
    if (region === undefined) return ioctlReply(Errno.ENOENT);
    for (;;) {
      yield* region.lock.read();
      const { frames } = region;
      const sum = frames === null ? null : this.addUp(frames);
      region.lock.readUnlock();
      if (sum !== null) return ioctlReply(Errno.OK, sum);
      const errno = yield* this.fetch(region);
      if (errno !== Errno.OK && errno !== Errno.EAGAIN) return ioctlReply(errno);
    }
  }

  /** Errors: -EAGAIN when something was invalidated meanwhile; -EFAULT where the process itself has no access. */
  private *fetch(region: Region): Steps<Errno> {
    const { mm, notifier, lock } = region;
    const { start, end } = notifier;
    const pfns = new Uint32Array(end - start);
    const request = { defaultFlags: HmmPfnFlag.REQ_FAULT, pfnFlagsMask: 0, devPrivateOwner: NO_OWNER };
    const range = { mm, notifier, notifierSeq: 0, start, end, pfns, ...request };
    const errno = yield* this.services.hmm.rangeFaultUnlocked(range, 0);
    if (errno !== Errno.OK) return errno;
    // Nothing that was read before the lock may be trusted, unless the sequence says that nobody has invalidated since.
    yield* lock.read();
    const isStale = notifier.readRetry(range.notifierSeq);
    if (!isStale || this.mistakes.skipsRetry) region.frames = pfns;
    lock.readUnlock();
    return isStale ? Errno.EAGAIN : Errno.OK;
  }

  /** The card at work: it goes by frames, and nothing tells it if they have become another's. */
  private addUp(frames: Uint32Array): number {
    const { words } = this.services.kernel.memory;
    return frames.reduce((sum, _, i) => sum + words[hmmPfnToPfn(hmmPfnAt(frames, i)) * PAGE_WORDS], 0);
  }
}
