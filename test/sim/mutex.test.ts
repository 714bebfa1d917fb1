/** The mutex: a lock for one. */

import { beforeEach, describe, expect, it } from 'vitest';
import { LockClass } from '../../src/sim/lockOrder.js';
import { Mutex } from '../../src/sim/mutex.js';
import type { Steps } from '../../src/sim/steps.js';
import { Bench } from './harness.js';

const classA = new LockClass('class a');

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

describe('a mutex', () => {
  it('is held by one task at a time, first come first served', () => {
    const mutex = new Mutex(bench.sched, 'mutex', classA);
    const user = function* (name: string): Steps<void> {
      yield* mutex.lock();
      mutex.assertHeld();
      bench.say(name);
      yield* bench.sched.sleep(10);
      mutex.unlock();
    };
    bench.run(...[0, 1, 2].map((i) => bench.after(i, user(`m${i}`))));
    expect(bench.log).toEqual(['m0', 'm1', 'm2']);
    expect([bench.sched.now(), mutex.isLocked]).toEqual([30, false]);
  });

  it('can be tried, and says who must hold it', () => {
    const mutex = new Mutex(bench.sched, 'mutex', classA);
    const body = function* (): Steps<void> {
      expect([mutex.tryLock(), mutex.tryLock(), mutex.isLocked]).toEqual([true, false, true]);
      mutex.unlock();
      mutex.assertHeld();
    };
    expect(() => bench.run(body())).toThrow('mutex must be held');
  });
});
