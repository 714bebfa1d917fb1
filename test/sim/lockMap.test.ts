/** What is waited for like a lock has its place in the order of locks. */

import { beforeEach, describe, expect, it } from 'vitest';
import { LockMap } from '../../src/sim/lockMap.js';
import { LockClass } from '../../src/sim/lockOrder.js';
import { RwLock } from '../../src/sim/rwLock.js';
import type { Steps } from '../../src/sim/steps.js';
import { Bench } from './harness.js';

const work = new LockMap('some work');
const pages = new LockMap('some pages', { nests: true });
const lockClass = new LockClass('a lock');

let bench: Bench;
let lock: RwLock;

beforeEach(() => {
  bench = new Bench();
  lock = new RwLock(bench.sched, 'the lock', lockClass);
});

function* underLock(then: () => void): Steps<void> {
  yield* lock.write();
  then();
  lock.writeUnlock();
}

/** The work takes the lock. */
function* doWork(): Steps<void> {
  bench.sched.enter(work);
  yield* lock.read();
  lock.readUnlock();
  bench.sched.leave(work);
}

/** Without a task nobody waits. */
function outside(): void {
  bench.sched.order(work.lockClass);
}

describe('what is waited for', () => {
  it('is not waited for with a lock that it takes', () => {
    bench.run(doWork());
    outside();
    expect(() => bench.run(underLock(() => bench.sched.order(work.lockClass)))).toThrow(
      'lock order: some work taken under a lock, but elsewhere some work is held when taking a lock',
    );
  });

  it('takes no lock with which somebody may wait for it', () => {
    bench.run(underLock(() => bench.sched.order(work.lockClass)));
    expect(() => bench.run(doWork())).toThrow('lock order: a lock taken under some work');
  });

  it('does not wait for itself, unless there may be several of it', () => {
    const twice = function* (map: LockMap): Steps<void> {
      bench.sched.enter(map);
      bench.sched.order(map.lockClass);
      bench.sched.leave(map);
    };
    bench.run(twice(pages));
    expect(() => bench.run(twice(work))).toThrow('some work taken while another some work is held');
  });

  it('comes before what is waited for inside of it, of several kinds at once', () => {
    const inner = new LockClass('the innermost');
    const nested = function* (): Steps<void> {
      bench.sched.enter(work);
      bench.sched.enter(pages);
      bench.sched.order(inner);
      bench.sched.leave(work);
      bench.sched.leave(pages);
    };
    bench.run(nested());
    const { lockOrder } = bench.sched;
    expect(() => lockOrder.acquire(inner, work.lockClass)).toThrow('some work taken under the innermost');
    expect(() => lockOrder.acquire(inner, pages.lockClass)).toThrow('some pages taken under the innermost');
  });

  it('is left only by who is inside', () => {
    const leaver = function* (): Steps<void> {
      bench.sched.leave(work);
    };
    expect(() => bench.run(leaver())).toThrow('is not inside some work');
  });
});
