/** Who waits for whom, in words. */

import { describe, expect, it } from 'vitest';
import { LockClass } from '../../src/sim/lockOrder.js';
import { Mutex } from '../../src/sim/mutex.js';
import type { Steps } from '../../src/sim/steps.js';
import {
  describeCircle,
  describeHeld,
  describeWaits,
  findCircle,
  taskLabel,
} from '../../src/sim/waitGraph.js';
import { Bench } from './harness.js';

function stuckBench(): Bench {
  const bench = new Bench();
  const [a, b] = ['a', 'b'].map((name) => new Mutex(bench.sched, name, new LockClass(name)));
  const body = function* (first: Mutex, second: Mutex): Steps<void> {
    yield* first.lock();
    yield* bench.steps(3);
    bench.sched.lockOrder.acquire = () => {};
    yield* second.lock();
  };
  bench.spawn('one', body(a, b));
  bench.spawn('two', body(b, a));
  bench.spawn('a sentence that tells what this program is for', body(a, b));
  bench.sched.run();
  return bench;
}

describe('the wait-for graph', () => {
  const { tasks } = stuckBench().sched;

  it('names what each task waits for, who has it, and how', () => {
    const lines = describeWaits(tasks);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe('one#1 waits for b for write, held by two#2 for write (after test.a)');
    expect([...tasks].map(describeHeld)).toEqual(['a for write', 'b for write', '']);
  });

  it('names the circle, wherever one begins to look', () => {
    const circle = findCircle([...tasks].reverse());
    expect(circle?.map(({ name }) => name).sort()).toEqual(['one', 'two']);
    expect(describeCircle(circle ?? [])).toMatch(/^in a circle: (one#1|two#2) waits for .* waits for \1$/);
  });

  it('has no circle where somebody can go on', () => {
    expect(findCircle([])).toBeNull();
    const bench = new Bench();
    const one = bench.spawn('one', bench.steps(1));
    expect(findCircle([one])).toBeNull();
  });

  it('does not repeat sentences', () => {
    expect([...tasks].map(taskLabel)).toEqual(['one#1', 'two#2', 'program#3']);
  });
});
