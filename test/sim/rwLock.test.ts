/** The reader-writer lock: fair, owned, and checked for balance. */

import { beforeEach, describe, expect, it } from 'vitest';
import { LockClass } from '../../src/sim/lockOrder.js';
import { RwLock } from '../../src/sim/rwLock.js';
import type { Steps } from '../../src/sim/steps.js';
import { Bench } from './harness.js';

const classA = new LockClass('class a');

let bench: Bench;
let lock: RwLock;

beforeEach(() => {
  bench = new Bench();
  lock = new RwLock(bench.sched, 'the lock', classA);
});

function* reader(name: string, ns: number): Steps<void> {
  yield* lock.read();
  bench.say(`${name} in`);
  yield* bench.sched.sleep(ns);
  bench.say(`${name} out`);
  lock.readUnlock();
}

function* writer(name: string, ns: number): Steps<void> {
  yield* lock.write();
  bench.say(`${name} in`);
  yield* bench.sched.sleep(ns);
  bench.say(`${name} out`);
  lock.writeUnlock();
}

describe('a reader-writer lock', () => {
  it('lets readers in together, and a writer alone', () => {
    bench.run(reader('r1', 100), bench.after(10, reader('r2', 100)), bench.after(20, writer('w', 100)));
    expect(bench.log).toEqual(['r1 in', 'r2 in', 'r1 out', 'r2 out', 'w in', 'w out']);
  });

  it('makes readers queue behind a waiting writer, so that it does not starve', () => {
    bench.run(
      reader('r1', 100),
      bench.after(10, writer('w', 100)),
      bench.after(20, reader('r2', 100)),
      bench.after(30, reader('r3', 10)),
    );
    expect(bench.log).toEqual(['r1 in', 'r1 out', 'w in', 'w out', 'r2 in', 'r3 in', 'r3 out', 'r2 out']);
  });

  it('serves writers in the order in which they came', () => {
    bench.run(...[0, 1, 2, 3].map((i) => bench.after(i, writer(`w${i}`, 50))));
    expect(bench.log.filter((line) => line.endsWith('in'))).toEqual(['w0 in', 'w1 in', 'w2 in', 'w3 in']);
  });

  it('is handed over: nobody can barge in between release and the next in line', () => {
    const barger = function* (): Steps<void> {
      yield* bench.sched.sleep(100);
      bench.say(`try ${lock.tryWrite()} ${lock.tryRead()}`);
    };
    bench.run(writer('w1', 100), bench.after(10, writer('w2', 10)), barger());
    expect(bench.log.filter((line) => line.startsWith('try'))).toEqual(['try false false']);
  });

  it('can be tried: only a free lock without a queue is taken', () => {
    const body = function* (): Steps<void> {
      bench.say(`${lock.tryRead()} ${lock.tryWrite()}`);
      lock.readUnlock();
      bench.say(`${lock.tryWrite()} ${lock.tryRead()}`);
      lock.writeUnlock();
      expect(lock.isLocked).toBe(false);
    };
    bench.run(body());
    expect(bench.log).toEqual(['true false', 'true false']);
  });

  it('cannot be tried past a writer that waits', () => {
    const trier = function* (): Steps<void> {
      yield* bench.sched.sleep(50);
      bench.say(`${lock.tryRead()}`);
    };
    bench.run(reader('r', 100), bench.after(10, writer('w', 10)), trier());
    expect(bench.log).toEqual(['r in', 'false', 'r out', 'w in', 'w out']);
  });

  it('says whether somebody waits', () => {
    const body = function* (): Steps<void> {
      yield* lock.write();
      expect(lock.isContended).toBe(false);
      yield* bench.sched.sleep(20);
      expect(lock.isContended).toBe(true);
      lock.writeUnlock();
    };
    bench.run(body(), bench.after(10, reader('r', 1)));
    expect(lock.isContended).toBe(false);
  });

  it('can be downgraded: waiting readers come in, a waiting writer does not', () => {
    const body = function* (): Steps<void> {
      yield* lock.write();
      yield* bench.sched.sleep(50);
      lock.downgrade();
      bench.say('down');
      yield* bench.sched.sleep(50);
      lock.readUnlock();
    };
    bench.run(body(), bench.after(10, reader('r', 10)), bench.after(20, writer('w', 10)));
    expect(bench.log).toEqual(['down', 'r in', 'r out', 'w in', 'w out']);
    expect(bench.sched.now()).toBe(110);
  });

  it('survives a long queue', () => {
    bench.run(
      ...Array.from({ length: 3000 }, (_, i) =>
        bench.after(i % 7, i % 3 === 0 ? writer('w', 1) : reader('r', 1)),
      ),
    );
    expect(bench.log).toHaveLength(6000);
    expect(lock.isLocked || lock.isContended).toBe(false);
  });

  it.each<[string, () => Steps<void>, string]>([
    [
      'released for read by a task that does not hold it',
      function* () {
        lock.readUnlock();
      },
      'does not hold for read',
    ],
    [
      'released for write by a reader',
      function* () {
        yield* lock.read();
        lock.writeUnlock();
      },
      'does not hold for write',
    ],
    [
      'downgraded by a reader',
      function* () {
        yield* lock.read();
        lock.downgrade();
      },
      'does not hold for write',
    ],
    [
      'taken twice by one task',
      function* () {
        yield* lock.read();
        yield* lock.read();
      },
      'takes the lock twice',
    ],
    [
      'still held when its task ends',
      function* () {
        yield* lock.read();
      },
      'ended while it holds the lock',
    ],
    [
      'not held where it must be',
      function* () {
        lock.assertHeld();
      },
      'the lock must be held',
    ],
    [
      'held for read where write is needed',
      function* () {
        yield* lock.read();
        lock.assertHeld();
        lock.assertHeldForWrite();
      },
      'must be held for write',
    ],
  ])('reports when it is %s', (_, body, message) => {
    expect(() => bench.run(body())).toThrow(message);
  });

  it('tells who holds it and what a task waits for', () => {
    const holder = bench.spawn('holder', writer('w', 100));
    const waiter = bench.spawn('waiter', bench.after(10, reader('r', 1)));
    const body = function* (): Steps<void> {
      yield* bench.sched.sleep(50);
      expect(lock.holders()).toEqual([holder]);
      expect(waiter.waitingFor).toBe(lock);
      expect(lock.describeWait(waiter)).toBe('the lock for read');
    };
    bench.run(body());
  });

  it('tells what a task waits for now, not what it once had', () => {
    const readThenWrite = function* (): Steps<void> {
      yield* lock.read();
      lock.readUnlock();
      yield* lock.write();
      lock.writeUnlock();
    };
    bench.spawn('holder', writer('holder', 100));
    const waiter = bench.spawn('waiter', bench.after(10, readThenWrite()));
    bench.spawn('next', bench.after(20, writer('next', 100)));
    // With somebody behind it the queue keeps those who were let in.
    bench.spawn('last', bench.after(30, writer('last', 100)));
    bench.spawn(
      'look',
      (function* (): Steps<void> {
        yield* bench.sched.sleep(150);
        expect(waiter.waitingFor).toBe(lock);
        expect(lock.describeWait(waiter)).toBe('the lock for write');
      })(),
    );
    bench.settle();
  });
});
