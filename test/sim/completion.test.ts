/** Completions: an event that happens once. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Completion } from '../../src/sim/completion.js';
import type { Steps } from '../../src/sim/steps.js';
import { Bench } from './harness.js';

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

describe('a completion', () => {
  it('ends all waits, also those that come later, and once is enough', () => {
    const completion = new Completion(bench.sched, 'the end');
    const waiter = function* (name: string): Steps<void> {
      yield* completion.wait();
      bench.say(name);
    };
    bench.spawn('early', waiter('early'));
    bench.settle();
    expect(completion.isDone).toBe(false);
    completion.completeAll();
    completion.completeAll();
    bench.spawn('late', waiter('late'));
    bench.settle();
    expect(bench.log.toSorted()).toEqual(['early', 'late']);
    expect(completion.isDone).toBe(true);
  });
});
