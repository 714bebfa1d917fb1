/** Wait queues: tasks sleep until somebody says that the world changed. */

import { beforeEach, describe, expect, it } from 'vitest';
import type { Steps } from '../../src/sim/steps.js';
import { WaitQueue } from '../../src/sim/waitQueue.js';
import { Bench } from './harness.js';

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

describe('a wait queue', () => {
  function* waiter(queue: WaitQueue, name: string): Steps<void> {
    yield* queue.wait();
    bench.say(name);
  }

  it('keeps tasks until it is told', () => {
    const queue = new WaitQueue(bench.sched, 'something');
    const task = bench.spawn('w', waiter(queue, 'woken'));
    bench.settle();
    expect([task.state, queue.isEmpty]).toEqual(['blocked', false]);
    queue.wakeAll();
    bench.settle();
    expect(bench.log).toEqual(['woken']);
    expect(queue.isEmpty).toBe(true);
  });

  it('wakes one, the first, or all', () => {
    const queue = new WaitQueue(bench.sched, 'something');
    for (let i = 0; i < 4; i++) bench.spawn(`w${i}`, bench.after(i, waiter(queue, `w${i}`)));
    bench.settle();
    queue.wakeOne();
    bench.settle();
    expect(bench.log).toEqual(['w0']);
    queue.wakeAll();
    bench.settle();
    expect(bench.log.toSorted()).toEqual(['w0', 'w1', 'w2', 'w3']);
    queue.wakeOne();
  });

  it('leaves those who wait again for the next time', () => {
    const queue = new WaitQueue(bench.sched, 'something');
    const again = function* (): Steps<void> {
      for (let i = 0; i < 3; i++) {
        yield* queue.wait();
        bench.say(`${i}`);
      }
    };
    const task = bench.spawn('w', again());
    for (let i = 0; i < 2; i++) {
      bench.settle();
      queue.wakeAll();
    }
    bench.settle();
    expect([bench.log, task.state]).toEqual([['0', '1'], 'blocked']);
  });

  it('says what is waited for, and who stands in the way', () => {
    const queue = new WaitQueue(bench.sched, 'the bus', () => [task]);
    const task = bench.spawn('w', waiter(queue, 'x'));
    bench.settle();
    expect([task.waitingFor?.describeWait(task), task.waitingFor?.holders()]).toEqual(['the bus', [task]]);
  });

  it('cannot wake a task that does not sleep', () => {
    const task = bench.spawn('w', bench.steps(3));
    expect(() => bench.sched.wake(task)).toThrow('wake of w, which is runnable');
  });
});
