/** The gate: holding a run where nothing is half done. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Gate } from '../../src/sim/gate.js';
import { STEP, type Steps } from '../../src/sim/steps.js';
import { Bench } from './harness.js';

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

describe('a gate', () => {
  let gate: Gate;
  let parked: number;
  /** Members in the middle of something. */
  let busy: number;

  beforeEach(() => {
    gate = new Gate(bench.sched, 'the gate');
    parked = 0;
    busy = 0;
  });

  function close(): void {
    gate.close(() => {
      parked++;
      expect(busy).toBe(0);
    });
  }

  function* member(name: string, rounds: number): Steps<void> {
    gate.join();
    for (let i = 0; i < rounds; i++) {
      yield* gate.pass();
      bench.say(name);
      busy++;
      yield* bench.sched.sleep(10);
      busy--;
    }
    gate.leave();
  }

  function at(ns: number, what: () => void): void {
    const body = function* (): Steps<void> {
      yield* bench.sched.sleep(ns);
      what();
    };
    bench.spawn(`at ${ns}`, body());
  }

  it('that is open lets everybody pass', () => {
    bench.run(member('a', 3));
    expect(bench.log).toEqual(['a', 'a', 'a']);
    expect(gate.isClosed).toBe(false);
  });

  it('reports once all members wait at it, not before', () => {
    bench.spawn('a', member('a', 10));
    bench.spawn('b', bench.after(5, member('b', 10)));
    at(21, close);
    // At 25 the one that was outside comes; the other one is on its way until 30.
    at(22, () => expect(parked).toBe(0));
    at(29, () => expect(parked).toBe(0));
    at(31, () => expect(parked).toBe(1));
    bench.settle();
    expect([parked, gate.isClosed]).toEqual([1, true]);
    const passed = bench.log.length;
    gate.open();
    bench.settle();
    expect(bench.log.length).toBe(20);
    expect(passed).toBeLessThan(20);
  });

  it('reports at once when it has no members', () => {
    close();
    expect(parked).toBe(1);
  });

  it('reports when the last member that was not there leaves', () => {
    bench.spawn('a', member('a', 1));
    at(5, close);
    at(9, () => expect(parked).toBe(0));
    bench.settle();
    expect(parked).toBe(1);
  });

  it('does not wait for one that left for a while, but stops it when it comes back', () => {
    const traveller = function* (): Steps<void> {
      gate.join();
      gate.leave();
      yield* bench.sched.sleep(100);
      yield* gate.rejoin();
      bench.say(`back at ${bench.sched.now()}`);
      gate.leave();
    };
    bench.spawn('traveller', traveller());
    at(10, close);
    at(11, () => expect(parked).toBe(1));
    at(200, () => gate.open());
    bench.settle();
    expect(bench.log).toEqual(['back at 200']);
  });

  it('may be opened by the report itself', () => {
    bench.spawn('a', member('a', 3));
    at(5, () => gate.close(() => gate.open()));
    bench.settle();
    expect(bench.log).toEqual(['a', 'a', 'a']);
  });

  it('can be closed and opened many times', () => {
    bench.spawn('a', member('a', 50));
    bench.spawn('b', bench.after(5, member('b', 50)));
    for (let i = 0; i < 20; i++) {
      at(20 * i + 1, close);
      at(20 * i + 15, () => gate.open());
    }
    bench.settle();
    expect([parked, bench.log.length]).toEqual([20, 100]);
  });

  it('is closed again before those it let go have run: they stay', () => {
    bench.spawn('a', member('a', 2));
    at(5, close);
    at(20, () => {
      gate.open();
      close();
    });
    bench.settle();
    expect([parked, bench.log]).toEqual([2, ['a']]);
  });

  it('lets one operation of each go on by a step, and reports when they are back', () => {
    let stepped = 0;
    const step = (): void => gate.step(() => stepped++);
    bench.spawn('a', member('a', 5));
    bench.spawn('b', member('b', 5));
    at(1, close);
    at(20, step);
    at(25, () => expect([stepped, bench.log.length]).toEqual([0, 4]));
    at(40, () => expect([stepped, bench.log.length, gate.isClosed]).toEqual([1, 4, true]));
    at(50, step);
    at(70, () => expect([stepped, bench.log.length]).toEqual([2, 6]));
    at(80, () => gate.open());
    bench.settle();
    expect(bench.log.length).toBe(10);
  });

  it('lets nobody take the step of another who has not gone on yet', () => {
    const done = [0, 0, 0, 0];
    const worker = function* (i: number): Steps<void> {
      for (;;) {
        yield* gate.pass();
        done[i]++;
        yield STEP;
      }
    };
    for (const i of done.keys()) {
      gate.join();
      bench.spawn(`worker ${i}`, worker(i));
    }
    let isHeld = false;
    gate.close(() => {
      isHeld = true;
    });
    bench.sched.run(() => isHeld);
    for (let step = 1; step <= 20; step++) {
      isHeld = false;
      gate.step(() => {
        isHeld = true;
      });
      bench.sched.run(() => isHeld);
      expect(done).toEqual([step, step, step, step]);
    }
  });

  it('is done at once with a step where nobody waits', () => {
    let stepped = 0;
    close();
    gate.step(() => stepped++);
    expect(stepped).toBe(1);
  });

  it('cannot be closed twice, nor left by one who never joined', () => {
    gate.join();
    close();
    expect(close).toThrow('closed twice');
    gate.leave();
    expect(() => gate.leave()).toThrow('leave without join');
  });
});
