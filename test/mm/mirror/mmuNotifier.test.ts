/** Interval notifiers: sequence parity, deferred insertion and removal, readers, and what a callback may refuse. */

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { assert } from '../../../src/base/assert.js';
import { Errno } from '../../../src/base/errno.js';
import { TASK_SIZE_PAGES, vpn } from '../../../src/base/units.js';
import type { Kernel } from '../../../src/mm/kernel.js';
import {
  IntervalNotifier,
  type IntervalNotifierOps,
  type NotifierRange,
  NotifierStep,
  NotifyEvent,
  notifierRange,
} from '../../../src/mm/mirror/mmuNotifier.js';
import type { Mm } from '../../../src/mm/process/mm.js';
import { Random } from '../../../src/sim/random.js';
import type { Steps } from '../../../src/sim/steps.js';
import { executorOf, makeKernel, makeMachine, makeMm, run, runAll, settle, spawn } from '../harness.js';

/** An interval whose callbacks are written down. */
class Mirror implements IntervalNotifierOps {
  readonly sub: IntervalNotifier;
  readonly seqs: number[] = [];
  accepts = true;

  constructor(
    readonly mm: Mm,
    start: number,
    end: number,
  ) {
    this.sub = new IntervalNotifier(vpn(start), vpn(end), this);
  }

  *invalidate(sub: IntervalNotifier, _range: NotifierRange, curSeq: number): Steps<boolean> {
    this.seqs.push(curSeq);
    if (!this.accepts) return false;
    sub.setSeq(curSeq);
    return true;
  }

  insert(): Steps<Errno> {
    return this.mm.notifiers.insert(this.sub);
  }

  remove(): Steps<void> {
    return this.mm.notifiers.remove(this.sub);
  }

  readBegin(): Steps<number> {
    return this.mm.notifiers.readBegin(this.sub);
  }
}

function clear(start: number, end: number): NotifierRange {
  return notifierRange(NotifyEvent.Clear, vpn(start), vpn(end));
}

let kernel: Kernel;
let mm: Mm;

beforeEach(() => {
  kernel = makeKernel();
  mm = makeMm(kernel);
});

function inserted(start: number, end: number): Mirror {
  const mirror = new Mirror(mm, start, end);
  expect(run(kernel, mirror.insert())).toBe(Errno.OK);
  return mirror;
}

/** Runs one task to its end, though others may stay blocked. */
function finish<T>(steps: Steps<T>): T {
  const results: T[] = [];
  const body = function* (): Steps<void> {
    results.push(yield* steps);
  };
  spawn(kernel, 'test', body());
  settle(kernel);
  expect(results).toHaveLength(1);
  return results[0];
}

function start(range: NotifierRange): Errno {
  return finish(mm.notifiers.invalidateStart(range));
}

function end(range: NotifierRange): void {
  finish(mm.notifiers.invalidateEnd(range));
}

/** (active, seq) of the address space. */
function state(): [number, number] {
  return [mm.notifiers.activeInvalidations, mm.notifiers.invalidateSeq];
}

describe('the sequence', () => {
  it('starts at 2 with no invalidation', () => {
    expect(state()).toEqual([0, 2]);
  });

  it('stays even for an invalidation that hits no interval', () => {
    inserted(20, 30);
    const range = clear(0, 20);
    start(range);
    expect(state()).toEqual([1, 2]);
    end(range);
    expect(state()).toEqual([0, 2]);
  });

  it('is odd while an invalidation runs that hit an interval, and the next even number after it', () => {
    inserted(20, 30);
    const range = clear(29, 40);
    start(range);
    expect(state()).toEqual([1, 3]);
    end(range);
    expect(state()).toEqual([0, 4]);
  });

  it('has one odd period for invalidations that overlap in time, until the last one ends', () => {
    inserted(0, 10);
    const [first, second, miss] = [clear(0, 1), clear(5, 6), clear(90, 91)];
    start(first);
    start(second);
    start(miss);
    expect(state()).toEqual([3, 3]);
    end(first);
    end(second);
    expect(state()).toEqual([1, 3]);
    end(miss);
    expect(state()).toEqual([0, 4]);
  });
});

describe('callbacks', () => {
  it('come for each interval that the half-open range overlaps, with the odd sequence', () => {
    const [below, hit, edge, above] = [inserted(0, 10), inserted(10, 20), inserted(19, 30), inserted(20, 40)];
    const range = clear(10, 20);
    start(range);
    expect([below, hit, edge, above].map(({ seqs }) => seqs)).toEqual([[], [3], [3], []]);
    end(range);
  });

  it('are not repeated at the end, and come again with the next odd number', () => {
    const mirror = inserted(0, 10);
    for (let i = 0; i < 2; i++) {
      start(clear(0, 10));
      end(clear(0, 10));
    }
    expect(mirror.seqs).toEqual([3, 5]);
  });

  it('may refuse a non-blockable range: -EAGAIN, and the invalidation has ended', () => {
    const [first, second] = [inserted(0, 10), inserted(5, 15)];
    first.accepts = false;
    expect(start({ ...clear(0, 20), blockable: false })).toBe(Errno.EAGAIN);
    expect(state()).toEqual([0, 4]);
    expect(second.seqs).toEqual([]);
  });

  it('that refused leave another running invalidation alone', () => {
    const mirror = inserted(0, 10);
    const running = clear(0, 10);
    start(running);
    mirror.accepts = false;
    expect(start({ ...clear(0, 20), blockable: false })).toBe(Errno.EAGAIN);
    expect(state()).toEqual([1, 3]);
    end(running);
    expect(state()).toEqual([0, 4]);
  });

  it('may not refuse a blockable range', () => {
    inserted(0, 10).accepts = false;
    expect(() => start(clear(0, 20))).toThrow('refused a blockable invalidation');
  });

  it('end once for each start', () => {
    expect(() => end(clear(0, 20))).toThrow('ends without a start');
  });
});

describe('insert', () => {
  it('into an idle tree leaves the first reader waiting for nothing', () => {
    const mirror = inserted(0, 10);
    expect(mirror.sub.invalidateSeq).toBe(1);
    const seq = run(kernel, mirror.readBegin());
    expect(mirror.sub.readRetry(seq)).toBe(false);
  });

  it('during an invalidation that hit something is deferred to its end', () => {
    inserted(0, 10);
    const running = clear(0, 10);
    start(running);
    const late = inserted(5, 8);
    expect(mm.notifiers.intervals).toBe(1);
    expect(late.sub.invalidateSeq).toBe(3);
    const other = clear(6, 7);
    start(other);
    expect(late.seqs).toEqual([]);
    end(other);
    end(running);
    expect(mm.notifiers.intervals).toBe(2);
    start(other);
    expect(late.seqs).toEqual([5]);
    end(other);
  });

  it('during one that hit nothing makes the sequence odd and happens at once', () => {
    const running = clear(0, 10);
    start(running);
    const late = inserted(5, 8);
    expect(state()).toEqual([1, 3]);
    expect(mm.notifiers.intervals).toBe(1);
    expect(late.sub.invalidateSeq).toBe(3);
    end(running);
    expect(state()).toEqual([0, 4]);
  });

  it.each([
    ['hit something', true],
    ['hit nothing', false],
  ])('during an invalidation that %s makes readers wait for its end', (_, hits) => {
    if (hits) inserted(0, 10);
    const running = clear(0, 10);
    start(running);
    const late = inserted(5, 8);
    const read: number[] = [];
    const reader = spawn(
      kernel,
      'reader',
      (function* (): Steps<void> {
        read.push(yield* late.readBegin());
      })(),
    );
    settle(kernel);
    expect(reader.state).toBe('blocked');
    end(running);
    expect(read).toEqual([3]);
    expect(late.sub.readRetry(3)).toBe(false);
  });

  it('of an empty range is -EOVERFLOW and takes no reference', () => {
    expect(run(kernel, new Mirror(mm, 10, 10).insert())).toBe(Errno.EOVERFLOW);
    expect(mm.count).toBe(1);
  });

  it('into an address space without users is -EINVAL', () => {
    mm.users = 0;
    expect(run(kernel, new Mirror(mm, 0, 10).insert())).toBe(Errno.EINVAL);
    expect(mm.count).toBe(1);
  });

  it('holds a reference on the mm until the removal', () => {
    const mirror = inserted(0, 10);
    expect(mm.count).toBe(2);
    run(kernel, mirror.remove());
    expect(mm.count).toBe(1);
  });

  it('takes mmap_lock for write the first time, and only then', () => {
    const order: string[] = [];
    const holder = function* (): Steps<void> {
      yield* mm.mmapLock.read();
      yield* kernel.sched.sleep(100);
      order.push('released');
      mm.mmapLock.readUnlock();
    };
    const inserter = function* (): Steps<void> {
      yield* kernel.sched.sleep(10);
      yield* new Mirror(mm, 0, 10).insert();
      order.push('inserted');
    };
    runAll(kernel, [holder(), inserter()]);
    expect(order).toEqual(['released', 'inserted']);
    order.length = 0;
    runAll(kernel, [holder(), inserter()]);
    expect(order).toEqual(['inserted', 'released']);
  });
});

describe('remove', () => {
  it('happens at once when nothing runs, and when what runs hit nothing', () => {
    const [first, second] = [inserted(0, 10), inserted(10, 20)];
    run(kernel, first.remove());
    const running = clear(90, 99);
    start(running);
    run(kernel, second.remove());
    expect(mm.notifiers.intervals).toBe(0);
    end(running);
  });

  it('waits for the end of an invalidation that hit any interval', () => {
    const [hit, other] = [inserted(0, 10), inserted(50, 60)];
    const [running, second] = [clear(0, 10), clear(5, 6)];
    start(running);
    const removal = spawn(kernel, 'removal', other.remove());
    settle(kernel);
    expect(removal.state).toBe('blocked');
    expect(mm.notifiers.intervals).toBe(2);
    start(second);
    end(running);
    expect(removal.state).toBe('blocked');
    end(second);
    expect(removal.state).toBe('done');
    expect(mm.notifiers.intervals).toBe(1);
    expect(hit.seqs).toEqual([3, 3]);
  });

  it('still lets callbacks come while it waits, and none afterwards', () => {
    const mirror = inserted(0, 10);
    const [running, second] = [clear(0, 10), clear(5, 6)];
    start(running);
    spawn(kernel, 'removal', mirror.remove());
    settle(kernel);
    start(second);
    expect(mirror.seqs).toEqual([3, 3]);
    end(running);
    end(second);
    start(running);
    expect(mirror.seqs).toEqual([3, 3]);
    end(running);
    expect(state()).toEqual([0, 4]);
  });

  it('cancels an insertion that is still deferred, without waiting', () => {
    inserted(0, 10);
    const running = clear(0, 10);
    start(running);
    const late = inserted(5, 8);
    run(kernel, late.remove());
    expect(mm.count).toBe(2);
    end(running);
    expect(mm.notifiers.intervals).toBe(1);
  });
});

describe('a reader', () => {
  it('waits while its interval is being invalidated, until the last invalidation ends', () => {
    const mirror = inserted(0, 10);
    const [running, elsewhere] = [clear(0, 10), clear(90, 99)];
    start(running);
    start(elsewhere);
    const reader = spawn(kernel, 'reader', mirror.readBegin());
    settle(kernel);
    expect(reader.state).toBe('blocked');
    end(running);
    expect(reader.state).toBe('blocked');
    end(elsewhere);
    expect(reader.state).toBe('done');
  });

  it('does not wait for the invalidation of another interval', () => {
    const mirror = inserted(0, 10);
    inserted(50, 60);
    const running = clear(50, 60);
    start(running);
    const seq = run(kernel, mirror.readBegin());
    expect(mirror.sub.readRetry(seq)).toBe(false);
    end(running);
  });

  it('that began before a callback must retry after it', () => {
    const mirror = inserted(0, 10);
    const seq = run(kernel, mirror.readBegin());
    start(clear(0, 10));
    expect(mirror.sub.readRetry(seq)).toBe(true);
    expect(mirror.sub.checkRetry(seq)).toBe(true);
    end(clear(0, 10));
    expect(mirror.sub.readRetry(seq)).toBe(true);
  });
});

describe('the end of an address space', () => {
  it('raises one RELEASE over everything, start and end in a row', () => {
    const machine = makeMachine();
    const dying = makeMm(machine.kernel);
    const mirror = new Mirror(dying, 1000, 1010);
    run(machine.kernel, mirror.insert());
    const events: unknown[] = [];
    machine.kernel.sched.observer = {
      onStep: (_task, step, first, npages, event) => {
        if (step === NotifierStep.invStart || step === NotifierStep.invEnd)
          events.push([first, npages, event]);
      },
    };
    run(machine.kernel, machine.calls.exit.mmput(dying));
    expect(events).toEqual([
      [0, TASK_SIZE_PAGES, NotifyEvent.Release],
      [0, TASK_SIZE_PAGES, NotifyEvent.Release],
    ]);
    expect(mirror.seqs).toEqual([3]);
    expect(dying.count).toBe(1);
  });
});

/** What tasks of a random run do; spans are small, so that most things overlap. */
type Op =
  | { readonly kind: 'invalidate'; readonly start: number; readonly pages: number; readonly pause: number }
  | { readonly kind: 'life'; readonly start: number; readonly pages: number; readonly reads: number };

const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({
    kind: fc.constant('invalidate' as const),
    start: fc.integer({ min: 0, max: 12 }),
    pages: fc.integer({ min: 1, max: 6 }),
    pause: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({
    kind: fc.constant('life' as const),
    start: fc.integer({ min: 0, max: 12 }),
    pages: fc.integer({ min: 1, max: 6 }),
    reads: fc.integer({ min: 0, max: 4 }),
  }),
);

/** An interval of a random run, which knows what it may and may not be told. */
class WatchedMirror extends Mirror {
  alive = true;
  insertedAt = 0;
  /** Brackets that have called back and not ended. */
  readonly open = new Set<NotifierRange>();

  override *invalidate(sub: IntervalNotifier, range: NotifierRange, curSeq: number): Steps<boolean> {
    assert(this.alive && curSeq % 2 === 1, 'a callback after removal, or with an even sequence');
    yield NotifierStep.callback;
    assert(this.alive, 'removed during a callback');
    this.open.add(range);
    return yield* super.invalidate(sub, range, curSeq);
  }
}

interface Bracket {
  readonly range: NotifierRange;
  readonly startedAt: number;
}

/** Both ends of a bracket take one step before they do anything; `note` runs right after it. */
function* afterFirstStep<T>(steps: Steps<T>, note: () => void): Steps<T> {
  const first = steps.next();
  if (first.done === true) throw new Error('a bracket without a step');
  yield first.value;
  note();
  return yield* steps;
}

/** A run of random tasks under a random schedule; the checks are inside. */
class RandomRun {
  private readonly kernel: Kernel;
  private readonly mm: Mm;
  private readonly brackets = new Set<Bracket>();
  private readonly mirrors: WatchedMirror[] = [];
  private time = 0;
  private lastSeq = 2;

  constructor(seed: number) {
    this.kernel = makeKernel({ seed });
    this.mm = makeMm(this.kernel);
    this.kernel.sched.observer = { onStep: () => this.checkParity() };
  }

  run(ops: readonly Op[]): void {
    runAll(
      this.kernel,
      ops.map((each) => (each.kind === 'invalidate' ? this.invalidate(each) : this.live(each))),
    );
    this.checkParity();
    expect(this.mm.notifiers.activeInvalidations).toBe(0);
    expect(this.mm.notifiers.intervals).toBe(0);
    expect(this.mm.count).toBe(1);
    expect(executorOf(this.kernel).tasks.size).toBe(0);
  }

  private checkParity(): void {
    const { activeInvalidations, invalidateSeq } = this.mm.notifiers;
    assert(activeInvalidations > 0 || invalidateSeq % 2 === 0, 'odd without an invalidation');
    assert(invalidateSeq >= this.lastSeq, 'the sequence goes back');
    this.lastSeq = invalidateSeq;
  }

  private *invalidate({ start, pages, pause }: Extract<Op, { kind: 'invalidate' }>): Steps<void> {
    const range = clear(start, start + pages);
    yield* afterFirstStep(this.mm.notifiers.invalidateStart(range), () => {
      this.brackets.add({ range, startedAt: this.time++ });
    });
    for (let i = 0; i < pause; i++) yield NotifierStep.invStarted;
    yield* afterFirstStep(this.mm.notifiers.invalidateEnd(range), () => {
      for (const open of this.brackets) if (open.range === range) this.brackets.delete(open);
      for (const mirror of this.mirrors) mirror.open.delete(range);
    });
  }

  private *live({ start, pages, reads }: Extract<Op, { kind: 'life' }>): Steps<void> {
    const mirror = new WatchedMirror(this.mm, start, start + pages);
    this.mirrors.push(mirror);
    yield* mirror.insert();
    mirror.insertedAt = this.time++;
    for (let i = 0; i < reads; i++) {
      const seq = yield* mirror.readBegin();
      this.checkReader(mirror, seq);
      const called = mirror.seqs.length;
      yield NotifierStep.readBegin;
      if (!mirror.sub.readRetry(seq)) expect(mirror.seqs.length).toBe(called);
    }
    yield* mirror.remove();
    mirror.alive = false;
  }

  /** One that may go on has no open bracket over it that called it already, or that never will. */
  private checkReader(mirror: WatchedMirror, seq: number): void {
    if (mirror.sub.readRetry(seq)) return;
    expect(mirror.open.size).toBe(0);
    for (const { range, startedAt } of this.brackets) {
      const overlaps = range.start < mirror.sub.end && mirror.sub.start < range.end;
      expect(overlaps && startedAt < mirror.insertedAt).toBe(false);
    }
  }
}

describe('any interleaving', () => {
  it('keeps sequence and parity legal, calls nobody after removal, and lets no reader go on too early', () => {
    fc.assert(
      fc.property(fc.array(op, { minLength: 1, maxLength: 12 }), fc.nat(), (ops, seed) => {
        new RandomRun(new Random(seed).u32()).run(ops);
      }),
      { numRuns: 100 },
    );
  });
});
