/** A GPU's fault buffer: collects the faults of its contexts, one entry per page and kind of access, and delivers them in batches. */

import { assert } from '../base/assert.js';
import { Errno } from '../base/errno.js';
import { type Vpn, vpn } from '../base/units.js';
import { FaultKind } from '../memory/faultKind.js';
import type { Scheduler } from '../sim/scheduler.js';
import { STEP, type Steps } from '../sim/steps.js';
import type { ActorId, Task } from '../sim/task.js';
import type { TimeCost } from '../sim/timeCost.js';
import { WaitQueue } from '../sim/waitQueue.js';
import { DeviceStep } from './deviceStep.js';
import type { FaultSink } from './faultSink.js';

export interface FaultBufferConfig {
  readonly device: number;
  /** Faults that the buffer holds, from being raised until the last context that waits has gone on. */
  readonly entries: number;
  /** Faults told to the host at a time. */
  readonly batchMax: number;
  /** Faults that the host works on at the same time. */
  readonly outstandingMax: number;
  /** Modelled time from a fault to its batch's delivery: interrupt and reading the buffer. */
  readonly batchNs: TimeCost;
  /** More for each fault of the batch. */
  readonly entryNs?: number;
}

export interface FaultCounters {
  /** Accesses that faulted, coalesced ones included. */
  raised: number;
  /** Those that found their fault in the buffer already. */
  coalesced: number;
  batches: number;
  /** Those that had to wait for room in the buffer. */
  overflows: number;
  /** Faults that the host has answered. */
  served: number;
  /** Of these, with an error. */
  failed: number;
}

class FaultEntry {
  page: Vpn = vpn(0);
  write = false;
  kind: FaultKind = FaultKind.Demand;
  raisedAtNs = 0;
  served = false;
  errno: Errno = Errno.OK;
  /** Contexts that have not yet taken the answer. */
  waiters = 0;
  server: Task | null = null;
  readonly answered: WaitQueue;

  constructor(sched: Scheduler, name: string) {
    this.answered = new WaitQueue(sched, name, () => (this.server === null ? [] : [this.server]));
  }
}

/** Exact for every space: see `SPACES_MAX`. */
function keyOf(page: Vpn, write: boolean, kind: FaultKind): number {
  const access = kind === FaultKind.Demand ? Number(write) : kind + 1;
  return page * 4 + access;
}

/**
 * An entry is in exactly one state: free; queued (in `inFlight` and `queue`); outstanding (in `inFlight`, the host works on it); answered
 * (in neither, until its last waiter has gone). A fault raised after the answer is a new one.
 */
export class FaultBuffer {
  readonly counters: FaultCounters = {
    raised: 0,
    coalesced: 0,
    batches: 0,
    overflows: 0,
    served: 0,
    failed: 0,
  };
  private readonly free: FaultEntry[] = [];
  private readonly inFlight = new Map<number, FaultEntry>();
  /** Ring of entries in order of arrival. */
  private readonly queue: FaultEntry[];
  private queueHead = 0;
  private queued = 0;
  private outstanding = 0;
  private readonly room: WaitQueue;
  private readonly work: WaitQueue;

  /** Starts the delivering task. */
  constructor(
    private readonly config: FaultBufferConfig,
    private readonly sched: Scheduler,
    private readonly actor: ActorId,
    private readonly sink: FaultSink,
  ) {
    assert(
      config.entries > 0 && config.batchMax > 0 && config.outstandingMax > 0,
      'fault buffer of a wrong size',
    );
    const name = `gpu${config.device}`;
    for (let i = 0; i < config.entries; i++)
      this.free.push(new FaultEntry(sched, `an answer to a fault of ${name}`));
    this.queue = [...this.free];
    this.room = new WaitQueue(sched, `room in the fault buffer of ${name}`);
    this.work = new WaitQueue(sched, `faults of ${name}`);
    sched.spawnServant(actor, `${name}.faults`, () => this.deliver());
  }

  /** Entries that are not free. */
  get used(): number {
    return this.config.entries - this.free.length;
  }

  /** Waits until the host has answered, and returns what it says. */
  *raise(page: Vpn, write: boolean, kind: FaultKind = FaultKind.Demand): Steps<Errno> {
    assert(
      kind === FaultKind.Demand || write === (kind === FaultKind.Atomic),
      'atomics store, prefetches load',
    );
    this.counters.raised++;
    const entry = yield* this.findOrEnqueue(page, write, kind);
    entry.waiters++;
    if (this.sched.reach(DeviceStep.faultRaised, this.config.device, page, write ? 1 : 0, entry.waiters))
      yield STEP;
    while (!entry.served) yield* entry.answered.wait();
    return this.takeAnswer(entry);
  }

  private *findOrEnqueue(page: Vpn, write: boolean, kind: FaultKind): Steps<FaultEntry> {
    const key = keyOf(page, write, kind);
    let entry = this.inFlight.get(key);
    if (entry === undefined && this.free.length === 0) {
      this.counters.overflows++;
      while (entry === undefined && this.free.length === 0) {
        yield* this.room.wait();
        entry = this.inFlight.get(key);
      }
    }
    if (entry === undefined) return this.enqueue(page, write, kind);
    this.counters.coalesced++;
    return entry;
  }

  private enqueue(page: Vpn, write: boolean, kind: FaultKind): FaultEntry {
    const entry = this.free.pop();
    assert(entry !== undefined && entry.waiters === 0, 'no free fault entry');
    entry.page = page;
    entry.write = write;
    entry.kind = kind;
    entry.raisedAtNs = this.sched.now();
    entry.served = false;
    entry.server = null;
    this.inFlight.set(keyOf(page, write, kind), entry);
    this.queue[(this.queueHead + this.queued) % this.queue.length] = entry;
    this.queued++;
    this.work.wakeAll();
    return entry;
  }

  private takeAnswer(entry: FaultEntry): Errno {
    const errno = entry.errno;
    entry.waiters--;
    assert(entry.waiters >= 0, 'a fault was answered to more contexts than waited');
    if (entry.waiters === 0) {
      this.free.push(entry);
      this.room.wakeAll();
    }
    return errno;
  }

  /** Faults that would go now. */
  private get nextBatch(): number {
    const { batchMax, outstandingMax } = this.config;
    return Math.min(this.queued, batchMax, outstandingMax - this.outstanding);
  }

  private *deliver(): Steps<void> {
    const { entryNs = 0 } = this.config;
    for (;;) {
      while (this.queued === 0 || this.outstanding >= this.config.outstandingMax) yield* this.work.wait();
      yield* this.sched.spend(this.config.batchNs);
      // Who comes while the entries are read waits for the next batch.
      const count = this.nextBatch;
      if (entryNs > 0) yield* this.sched.spend(count * entryNs);
      this.deliverBatch(count);
      if (this.sched.reach(DeviceStep.faultBatch, this.config.device, count)) yield STEP;
    }
  }

  private deliverBatch(count: number): void {
    const { device } = this.config;
    for (let i = 0; i < count; i++) {
      const entry = this.queue[this.queueHead];
      this.queueHead = (this.queueHead + 1) % this.queue.length;
      entry.server = this.sched.spawn(this.actor, `gpu${device}.fault`, this.serve(entry));
    }
    this.queued -= count;
    this.outstanding += count;
    this.counters.batches++;
  }

  private *serve(entry: FaultEntry): Steps<void> {
    this.sched.at(DeviceStep.faultDelivered, this.config.device, entry.page, entry.write ? 1 : 0);
    const errno = yield* this.sink.serve(entry.page, entry.write, entry.kind);
    this.answer(entry, errno);
  }

  private answer(entry: FaultEntry, errno: Errno): void {
    assert(!entry.served && entry.waiters > 0, 'a fault is answered twice, or nobody waits for it');
    const removed = this.inFlight.delete(keyOf(entry.page, entry.write, entry.kind));
    assert(removed, 'an answered fault was not in flight');
    entry.errno = errno;
    entry.served = true;
    this.outstanding--;
    this.counters.served++;
    if (errno !== Errno.OK) this.counters.failed++;
    const ns = this.sched.now() - entry.raisedAtNs;
    this.sched.at(DeviceStep.faultServed, this.config.device, entry.page, errno, ns);
    entry.answered.wakeAll();
    this.work.wakeAll();
  }
}
