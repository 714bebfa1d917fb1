/** The order of locks: learnt as they nest, and refused where it could close a circle. */

import { beforeEach, describe, expect, it } from 'vitest';
import { LockClass } from '../../src/sim/lockOrder.js';
import { RwLock } from '../../src/sim/rwLock.js';
import type { Steps } from '../../src/sim/steps.js';
import { Bench } from './harness.js';

const classA = new LockClass('class a');
const classB = new LockClass('class b');
const classC = new LockClass('class c');

let bench: Bench;
let lock: RwLock;

beforeEach(() => {
  bench = new Bench();
  lock = new RwLock(bench.sched, 'the lock', classA);
});

describe('the order of locks', () => {
  function* both(first: RwLock, second: RwLock): Steps<void> {
    yield* first.write();
    yield* second.write();
    second.writeUnlock();
    first.writeUnlock();
  }

  it('may be the same again and again', () => {
    const other = new RwLock(bench.sched, 'other', classB);
    bench.run(both(lock, other));
    bench.run(both(lock, other));
  });

  it('is refused the other way round, even if nobody waits now', () => {
    const other = new RwLock(bench.sched, 'other', classB);
    bench.run(both(lock, other));
    expect(() => bench.run(both(other, lock))).toThrow(
      'lock order: class a taken under class b, but elsewhere class a is held when taking class b',
    );
  });

  it('is refused round three corners', () => {
    const other = new RwLock(bench.sched, 'other', classB);
    const third = new RwLock(bench.sched, 'third', classC);
    bench.run(both(lock, other));
    bench.run(both(other, third));
    expect(() => bench.run(both(third, lock))).toThrow(
      'class a taken under class c, but elsewhere class a is held when taking class b is held when taking class c',
    );
  });

  it('forbids two locks of one class', () => {
    const twin = new RwLock(bench.sched, 'twin', classA);
    expect(() => bench.run(both(lock, twin))).toThrow('class a taken while another class a is held');
  });

  it('is learnt from the locks that are waited for, not from those that are tried', () => {
    const other = new RwLock(bench.sched, 'other', classB);
    const trier = function* (): Steps<void> {
      yield* lock.write();
      expect(other.tryWrite()).toBe(true);
      other.writeUnlock();
      lock.writeUnlock();
    };
    bench.run(trier());
    bench.run(both(other, lock));
  });
});
